// What every page is better with: times in the reader's zone, commands that can be copied, boards that follow what happens.

const zoned = new Intl.DateTimeFormat(undefined, {
  year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', timeZoneName: 'short'
})

/** Shows times as the reader's clock has them; UTC stays within reach. */
function localize (root) {
  for (const time of root.querySelectorAll('time[datetime]')) {
    const date = new Date(time.dateTime)
    if (Number.isNaN(date.getTime()) || time.title) continue
    time.title = time.textContent
    time.textContent = zoned.format(date)
  }
}

/** Puts a button beside every command. */
function makeCopyable (root) {
  if (!navigator.clipboard) return
  for (const pre of root.querySelectorAll('pre:has(> code)')) {
    const button = document.createElement('button')
    button.type = 'button'
    button.className = 'copy'
    button.textContent = 'Copy'
    button.addEventListener('click', async () => {
      await navigator.clipboard.writeText(pre.querySelector('code').textContent)
      button.textContent = 'Copied'
      setTimeout(() => { button.textContent = 'Copy' }, 2000)
    })
    pre.append(button)
  }
}

/** Follows a board: the server sends it whole whenever it has changed. A pool in a new state is a new page. */
function follow (board) {
  const state = document.getElementById('board-state')
  let waiting = null
  const show = html => {
    // Whoever reads a row with the keyboard is not thrown out of it.
    if (board.contains(document.activeElement) && document.activeElement !== document.body) {
      waiting = html
      return
    }
    waiting = null
    const before = board.querySelector('[data-state]')?.dataset
    board.innerHTML = html
    localize(board)
    const now = board.querySelector('[data-state]')?.dataset
    if (before && now && before.status !== now.status) return window.location.reload()
    const said = now?.state ?? ''
    if (state.textContent !== said) state.textContent = said
  }
  board.addEventListener('focusout', () => setTimeout(() => { if (waiting !== null) show(waiting) }))
  const events = new EventSource(board.dataset.events)
  events.addEventListener('board', event => show(event.data))
  window.addEventListener('pagehide', () => events.close())
}

localize(document)
makeCopyable(document)
const board = document.querySelector('[data-events]')
if (board) follow(board)
