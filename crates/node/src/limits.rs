//! Every limit of the node, with its reason. What is over a limit is refused with an error that names it; nothing is
//! dropped after it was acknowledged.

/// Bytes of an upload to the gateway unless the operator says otherwise: a model of 30 billion parameters at 8 bits.
pub const UPLOAD_BYTES_MAX: u64 = 32 * 1024 * 1024 * 1024;

/// Bytes of the disk that no message from outside may use unless the operator says otherwise: what was acknowledged before
/// must be handled, and pools must be paid out.
pub const DISK_BYTES_KEPT: u64 = 256 * 1024 * 1024;

/// Bytes of the disk that no upload may use.
pub const UPLOADS_DISK_BYTES_KEPT: u64 = 2 * DISK_BYTES_KEPT;

/// Appends that wait for the log's writer. Beyond it a sender from outside is told that the node is busy.
pub const LOG_QUEUE_MAX: usize = 8192;

/// Records in one transaction of the log: bounds how long the first waits for the last.
pub const LOG_BATCH_MAX: usize = 1024;

/// Bytes of bodies in one transaction of the log.
pub const LOG_BATCH_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Messages that a process handles in one transaction of its file.
pub const RUNTIME_BATCH_MAX: usize = 256;

/// Bytes of data of an item whose signature is verified by the thread that read it: a fifth of a millisecond of arithmetic.
pub const VERIFIED_IN_PLACE_BYTES_MAX: usize = 64 * 1024;

/// Work of a process after which what it has handled is committed and can be seen, while it handles what came after,
/// milliseconds. A commit costs about a twentieth of it.
pub const COMMIT_WORK_MS: u64 = 1;

/// Work of a process after which what it has sent is delivered, while it handles what came after, milliseconds. A delivery
/// is a commit of the log, which is flushed to the disk: delivering each message by itself costs more than it gains.
pub const DELIVERY_WORK_MS: u64 = 10;

/// Newest results of a process that are kept in memory, for those who sent its messages.
pub const RECENT_RESULTS_MAX: usize = 64;

/// Bytes of a result that is kept in memory; larger ones are read from the file of the process.
pub const RECENT_RESULT_BYTES_MAX: usize = 8 * 1024;

/// Bytes of bodies that are read from the log at one time, unless one record alone is larger.
pub const READ_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Values that one message publishes with `patch@1.0`: a table of balances that is published whole.
pub const PUBLISHED_PER_MESSAGE_MAX: usize = 10_000;

/// Maps within maps of what is published.
pub const PUBLISHED_DEPTH_MAX: usize = 16;

/// Bytes of everything that a process publishes, paths and values.
pub const PUBLISHED_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Values in one answer about what is published: the first by their paths. Each can be read by its own.
pub const PUBLISHED_SHOWN_MAX: usize = 10_000;

/// Dry-runs of native processes at one time; further ones wait for their turn.
pub const DRY_RUNS_NATIVE_MAX: usize = 64;

/// Dry-runs of modules of AO at one time: each may compute for [`WASM_TIME_MS_MAX`], and costs whoever asks nothing.
pub const DRY_RUNS_MODULE_MAX: usize = 4;

/// Threads that run processes.
pub const RUNTIME_THREADS_MAX: usize = 16;

/// Slots that a process may lie behind its log before new messages from outside are refused as busy.
pub const PROCESS_BACKLOG_MAX: u64 = 100_000;

/// Messages and spawns that one handled message may cause (bounds fan-out).
pub const OUTBOX_MESSAGES_MAX: usize = 100;

/// Bytes of tags and data that one handled message may send.
pub const OUTBOX_BYTES_MAX: usize = 1024 * 1024;

/// Pushed messages in a row from a message from outside or a tick, after which a module of AO sends nothing more (bounds
/// ping-pong between processes).
pub const HOPS_MAX: u8 = 64;

/// The same of native processes. Among themselves they come to an end in a dozen messages, so what a program began at the
/// end of its chain (a payment, and the booking of it where it arrives) is finished and not cut in the middle.
pub const HOPS_NATIVE_MAX: u8 = 96;

/// By how much a chain is longer with the messages that a module of AO sends for one, if it sends so many. Two to the power
/// of every fourth hop: whatever a program makes of one message, it is some thousand messages and not 100 to the power of 64.
pub const fn hops_of(messages: usize) -> u8 {
    let doublings = usize::BITS - messages.saturating_sub(1).leading_zeros();
    1 + 4 * doublings as u8
}

/// Rows of an outbox that are delivered in one go.
pub const DELIVERY_BATCH_MAX: usize = 512;

/// The shortest time between two alarms of a process when the first one's handler sets the second, milliseconds.
pub const ALARM_PAUSE_MS: u64 = 1000;

/// Records of one page of an inbox, of results, or of a schedule.
pub const PAGE_MAX: usize = 1000;

/// The longest time for which a reader may wait for something to come, milliseconds.
pub const WAIT_MS_MAX: u64 = 25_000;

/// Bytes of a transaction that `Read-Data` gives to a process (a message must hold it).
pub const READ_DATA_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Requests of processes to the node (model facts, data) that are worked on at one time.
pub const ACTOR_REQUESTS_MAX: usize = 2;

/// Model facts that are remembered.
pub const MODEL_FACTS_MAX: usize = 1024;

/// Records at the end of each process's log whose hash chain is verified when the node starts.
pub const STARTUP_TAIL: u64 = 64;

/// Databases of processes that are open at one time. Each is three files, and a program usually may have 1024.
pub const OPEN_PROCESSES_MAX: usize = 192;

/// Milliseconds of a block: Arweave's target time, from which a node without a network counts its block height.
pub const BLOCK_MS: u64 = 120_000;

/// The shortest period of a clock, milliseconds: many processes with quick clocks must not fill the log.
pub const CRON_PERIOD_MS_MIN: u64 = 10_000;

/// Bytes of a module: the largest known one has 3 MiB, and compiling takes seconds for each.
pub const WASM_MODULE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Bytes of memory that a module may have when its tags do not say less. All of AO's modules ask for this.
pub const WASM_MEMORY_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// Bytes of the answer to one message. Its outbox has a smaller limit of its own.
pub const WASM_ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Instructions of one message: some seconds of work, a thousand times what a large one of aos takes.
pub const WASM_FUEL_MAX: u64 = 20_000_000_000;

/// The longest time of one message where instructions are not counted, milliseconds.
pub const WASM_TIME_MS_MAX: u64 = 10_000;

/// The longest time of one message where instructions are counted, milliseconds: it guards against work that they do not
/// measure, and is far above what the count allows.
pub const WASM_COUNTED_TIME_MS_MAX: u64 = 60_000;

/// Modules that are kept in memory between messages. Each takes two to ten megabytes.
pub const WASM_HOT_MAX: usize = 64;

/// Bytes that the kept modules take together; beyond it the one that was idle longest is put aside.
pub const WASM_HOT_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// Compiled programs that are kept in memory.
pub const WASM_PROGRAMS_MAX: usize = 16;

/// Messages after which a snapshot is written: what a node at most runs again after a crash.
pub const WASM_SNAPSHOT_MESSAGES: usize = 256;

/// Work after which a snapshot is written, milliseconds: what a process at most does again after a crash before it answers.
/// Writing one takes some milliseconds.
pub const WASM_SNAPSHOT_WORK_MS: u64 = 250;

/// How long a thread has had nothing to do before it writes a snapshot that is not due yet, milliseconds. A node that was
/// at rest when it was killed then has nothing to do again.
pub const WASM_SNAPSHOT_REST_MS: u64 = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_can_make_of_one_message_has_an_end() {
        assert_eq!([0, 1, 2, 3, 4, 100].map(hops_of), [1, 1, 5, 9, 9, 29]);
        for messages in 1..=OUTBOX_MESSAGES_MAX {
            let generations = u32::from(HOPS_MAX / hops_of(messages));
            assert!((messages as u64).pow(generations) <= 1 << 16, "{messages} for one");
        }
    }
}
