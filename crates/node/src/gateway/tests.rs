//! The gateway against senders that are honest, hostile or unlucky.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ao::item::StreamSigner;
use ao::wallet::WalletKind;
use ao::{DataItem, Id, Tags, Wallet};
use futures_util::stream;
use tempfile::TempDir;

use super::receive::{PIECES_WAITING_MAX, Upload};
use super::{Gateway, GatewayError, GatewayLimits};

fn limits(item_bytes_max: u64, total_bytes_max: u64) -> GatewayLimits {
    GatewayLimits { item_bytes_max, total_bytes_max, disk_bytes_kept: 0 }
}

struct Fixture {
    directory: TempDir,
    gateway: Arc<Gateway>,
    wallet: Wallet,
}

impl Fixture {
    fn new() -> Self {
        Self::with(limits(1024 * 1024, 3 * 1024 * 1024))
    }

    fn with(limits: GatewayLimits) -> Self {
        let directory = TempDir::new().unwrap();
        let gateway = Arc::new(Gateway::open(directory.path(), limits).unwrap());
        Self { directory, gateway, wallet: Wallet::generate(WalletKind::Ed25519).unwrap() }
    }

    fn item(&self, data: impl Into<Vec<u8>>) -> DataItem {
        let tags = Tags::new().with("Content-Type", "text/plain").with("Name", "notes");
        DataItem::sign(&self.wallet, None, None, tags, data.into()).unwrap()
    }

    async fn send(&self, bytes: &[u8], stated: usize) -> Result<Upload, GatewayError> {
        let pieces: Vec<_> = bytes.chunks(1000).map(|piece| Ok::<_, Infallible>(piece.to_vec())).collect();
        self.gateway.receive(stream::iter(pieces), stated as u64, 7).await
    }

    /// What lies in the directory of files.
    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.directory.path().join("files")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn reopened(&self) -> Gateway {
        Gateway::open(self.directory.path(), self.gateway.limits).unwrap()
    }
}

#[tokio::test]
async fn an_upload_is_found_again_with_its_data_and_tags() {
    let fixture = Fixture::new();
    let item = fixture.item(vec![b'x'; 5000]);
    let bytes = item.to_bytes();
    let upload = fixture.send(&bytes, bytes.len()).await.unwrap();
    assert!(upload.fresh);
    let stored = fixture.reopened().find(&item.id()).unwrap().unwrap();
    assert_eq!(stored, upload.stored);
    assert_eq!((stored.owner, stored.data_length, stored.content_type()), (item.address(), 5000, "text/plain"));
    assert_eq!(stored.tags.get("Name"), Some("notes"));
    assert_eq!(&std::fs::read(&stored.data_path).unwrap()[stored.data_offset as usize..], item.data());
    assert_eq!(stored.header().unwrap(), *item.header());
    assert_eq!(fixture.files(), [item.id().to_hex()]);
    assert_eq!(fixture.gateway.of_type("text/plain", 9).unwrap(), [stored]);
}

#[tokio::test]
async fn an_upload_that_comes_twice_is_one() {
    let fixture = Fixture::new();
    let bytes = fixture.item("once").to_bytes();
    assert!(fixture.send(&bytes, bytes.len()).await.unwrap().fresh);
    let held = fixture.gateway.bytes.load(Ordering::Acquire);
    assert!(!fixture.send(&bytes, bytes.len()).await.unwrap().fresh);
    assert_eq!(fixture.gateway.bytes.load(Ordering::Acquire), held);
    assert_eq!(fixture.files().len(), 1);
}

#[tokio::test]
async fn an_empty_item_is_an_item() {
    let fixture = Fixture::new();
    let bytes = fixture.item("").to_bytes();
    assert_eq!(fixture.send(&bytes, bytes.len()).await.unwrap().stored.data_length, 0);
}

#[tokio::test]
async fn what_is_refused_leaves_nothing() {
    let fixture = Fixture::new();
    let bytes = fixture.item(vec![1; 4000]).to_bytes();
    let mut forged = bytes.clone();
    *forged.last_mut().unwrap() ^= 1;
    let mut longer = bytes.clone();
    longer.push(0);
    let length = bytes.len();
    for (what, sent, stated, code) in [
        ("no item", &b"GGUF is a file, not an item"[..], 27, "bad-item"),
        ("cut in its header", &bytes[..50], length, "truncated"),
        ("cut in its data", &bytes[..length - 1], length, "truncated"),
        ("nothing at all", &[], length, "truncated"),
        ("stated shorter than its header", &bytes[..60], 60, "truncated"),
        ("longer than stated", &longer, length, "bad-length"),
        ("longer than stated, within its header", &bytes, 10, "bad-length"),
        ("a byte more than was signed", &longer, length + 1, "bad-signature"),
        ("a byte less than was signed", &bytes[..length - 1], length - 1, "bad-signature"),
        ("changed", &forged, length, "bad-signature"),
        ("too large", &bytes, 1024 * 1024 + 1, "upload-too-large"),
        ("a length beyond all memory", &bytes, usize::MAX, "upload-too-large"),
    ] {
        let error = fixture.send(sent, stated).await.unwrap_err();
        assert_eq!(error.code(), code, "{what}: {error}");
        assert!(fixture.files().is_empty(), "{what} left {:?}", fixture.files());
        assert_eq!(fixture.gateway.bytes.load(Ordering::Acquire), 0, "{what}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_says_so_and_leaves_nothing() {
    let fixture = Fixture::new();
    let bytes = fixture.item(vec![1; 4000]).to_bytes();
    let pieces = vec![Ok(bytes[..2000].to_vec()), Err("connection reset")];
    let error = fixture.gateway.receive(stream::iter(pieces), bytes.len() as u64, 0).await.unwrap_err();
    assert!(error.to_string().contains("connection reset"), "{error}");
    assert!(fixture.files().is_empty());
}

#[tokio::test]
async fn a_gateway_holds_no_more_than_it_may() {
    let fixture = Fixture::with(limits(5000, 9000));
    let (first, second) = (fixture.item(vec![1; 4000]).to_bytes(), fixture.item(vec![2; 4800]).to_bytes());
    fixture.send(&first, first.len()).await.unwrap();
    assert_eq!(fixture.send(&second, second.len()).await.unwrap_err().code(), "gateway-full");
    let third = fixture.item(vec![3; 2000]).to_bytes();
    fixture.send(&third, third.len()).await.unwrap();
    assert_eq!(fixture.reopened().bytes.load(Ordering::Acquire), (first.len() + third.len()) as u64);
}

#[tokio::test]
async fn what_a_crash_left_is_removed_and_what_was_acknowledged_is_kept() {
    let fixture = Fixture::new();
    let item = fixture.item("kept");
    let bytes = item.to_bytes();
    fixture.send(&bytes, bytes.len()).await.unwrap();
    let files = fixture.directory.path().join("files");
    for left in ["receiving-abc123", &Id::new([9; 32]).to_hex(), "notes of the operator"] {
        std::fs::write(files.join(left), "left").unwrap();
    }
    let reopened = fixture.reopened();
    let mut names = fixture.files();
    names.sort();
    let mut expected = vec![item.id().to_hex(), "notes of the operator".to_owned()];
    expected.sort();
    assert_eq!(names, expected);
    assert!(reopened.find(&item.id()).unwrap().is_some());
}

#[tokio::test]
async fn a_file_that_was_lost_can_be_uploaded_again() {
    let fixture = Fixture::new();
    let item = fixture.item("lost");
    let bytes = item.to_bytes();
    let stored = fixture.send(&bytes, bytes.len()).await.unwrap().stored;
    std::fs::remove_file(&stored.data_path).unwrap();
    assert_eq!(fixture.gateway.find(&item.id()).unwrap(), None);
    fixture.send(&bytes, bytes.len()).await.unwrap();
    assert!(fixture.gateway.find(&item.id()).unwrap().is_some());
}

/// A piece that knows how many of its kind are alive.
struct CountedPiece {
    bytes: Vec<u8>,
    alive: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for CountedPiece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for CountedPiece {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::AcqRel);
    }
}

#[tokio::test]
async fn two_hundred_megabytes_cost_the_memory_of_a_few_pieces() {
    const PIECE: usize = 256 * 1024;
    const PIECES: usize = 800;
    let limits = limits(1 << 30, 1 << 30);
    let fixture = Fixture::with(limits);
    let length = (PIECE * PIECES) as u64;
    let data = |index: usize| vec![index as u8; PIECE];
    let mut signer = StreamSigner::new(&fixture.wallet, None, None, Tags::new(), length).unwrap();
    for index in 0..PIECES {
        signer.update(&data(index));
    }
    let header = signer.finish().unwrap();
    let stated = header.len() as u64 + length;

    let (alive, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counter, maximum) = (Arc::clone(&alive), Arc::clone(&most));
    let bytes = std::iter::once(header).chain((0..PIECES).map(data));
    let pieces = bytes.map(move |bytes| {
        maximum.fetch_max(counter.fetch_add(1, Ordering::AcqRel) + 1, Ordering::AcqRel);
        Ok::<_, Infallible>(CountedPiece { bytes, alive: Arc::clone(&counter) })
    });
    let upload = fixture.gateway.receive(stream::iter(pieces), stated, 0).await.unwrap();
    assert_eq!(upload.stored.data_length, length);
    assert_eq!(std::fs::metadata(&upload.stored.data_path).unwrap().len(), stated);
    // Those that wait, one in the hands of the network and one in those of the writer.
    assert!(
        most.load(Ordering::Acquire) <= PIECES_WAITING_MAX + 2,
        "{} pieces at one time",
        most.load(Ordering::Acquire)
    );
    assert_eq!(alive.load(Ordering::Acquire), 0);
}

#[tokio::test]
async fn what_is_only_announced_takes_no_room_from_others() {
    let fixture = Fixture::with(limits(1 << 30, 1 << 30));
    // One who announces all there is and sends nothing more than the beginning.
    let large = fixture.item(vec![b'x'; 5000]).to_bytes();
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Vec<u8>, Infallible>>(1);
    let gateway = Arc::clone(&fixture.gateway);
    let pieces =
        stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|piece| (piece, receiver)) });
    let slow = tokio::spawn(async move { gateway.receive(Box::pin(pieces), 1 << 30, 7).await });
    sender.send(Ok(large[..2000].to_vec())).await.unwrap();
    sender.send(Ok(large[2000..3000].to_vec())).await.unwrap();
    // Parts that lie far out announce as much, and are refused.
    let parts = fixture.gateway.begin_parts().unwrap();
    let far = fixture.gateway.put_part(&parts, (1 << 30) - 1, b"x").unwrap_err();
    assert_eq!(far.code(), "part-ahead");
    let bytes = fixture.item("y").to_bytes();
    assert!(fixture.send(&bytes, bytes.len()).await.unwrap().fresh);
    drop(sender);
    assert!(slow.await.unwrap().is_err());
    assert_eq!(fixture.gateway.bytes.load(Ordering::Acquire), bytes.len() as u64, "what was set aside is given back");
}

#[tokio::test]
async fn the_disk_is_left_to_the_log() {
    let fixture = Fixture::with(GatewayLimits { disk_bytes_kept: u64::MAX, ..limits(1 << 30, 1 << 30) });
    let bytes = fixture.item("x").to_bytes();
    assert_eq!(fixture.send(&bytes, bytes.len()).await.unwrap_err().code(), "disk-full");
    let parts = fixture.gateway.begin_parts().unwrap();
    assert_eq!(fixture.gateway.put_part(&parts, 0, b"x").unwrap_err().code(), "disk-full");
}
