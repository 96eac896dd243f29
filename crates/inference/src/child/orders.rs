//! Orders as they reach the child. They are read while the one in hand is carried out, so that it can be stopped.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::frame;
use super::message::Order;

/// Orders that wait. A parent waits for each reply, so that there is no more than one.
const WAITING_MAX: usize = 4;

/// The orders of a parent. They are counted from 1.
pub(super) struct Orders {
    waiting: Receiver<io::Result<Order>>,
    /// Which one is in hand.
    taken: u64,
    /// The last one that was stopped.
    stopped: Arc<AtomicU64>,
}

impl Orders {
    /// Begins to read. The thread that does ends with its input, or with the process.
    pub(super) fn read(input: impl Read + Send + 'static) -> io::Result<Self> {
        let (sender, waiting) = sync_channel(WAITING_MAX);
        let stopped = Arc::new(AtomicU64::new(0));
        let noted = Arc::clone(&stopped);
        thread::Builder::new().name("orders".to_owned()).spawn(move || read_all(input, &sender, &noted))?;
        Ok(Self { waiting, taken: 0, stopped })
    }

    /// The next order; nothing when the parent is gone.
    pub(super) fn next(&mut self) -> io::Result<Option<Order>> {
        self.taken += 1;
        self.waiting.recv().ok().transpose()
    }

    /// Whether nobody wants the answer to the order in hand any more.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire) == self.taken
    }
}

fn read_all(mut input: impl Read, orders: &SyncSender<io::Result<Order>>, stopped: &AtomicU64) {
    let mut given = 0;
    while let Some(order) = frame::read(&mut input).transpose() {
        if let Ok(Order::Stop) = order {
            stopped.store(given, Ordering::Release);
            continue;
        }
        given += 1;
        let is_last = order.is_err();
        if orders.send(order).is_err() || is_last {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_stopped_by_what_follows_it_and_the_next_one_is_not() {
        let frames = [Order::Describe, Order::Stop, Order::Probe].map(|order| frame::encode(&order).unwrap());
        let mut orders = Orders::read(io::Cursor::new(frames.concat())).unwrap();
        assert_eq!(orders.next().unwrap(), Some(Order::Describe));
        while !orders.is_stopped() {
            thread::yield_now();
        }
        assert_eq!(orders.next().unwrap(), Some(Order::Probe));
        assert!(!orders.is_stopped());
        assert_eq!(orders.next().unwrap(), None);
    }
}
