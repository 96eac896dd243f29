//! Who speaks in an item: decided here, once, before the item has a place in the log. A tag is never identity by itself.

use ao::{DataItem, Id, Tags};

/// Names under which a signer could pretend to be someone; the node decides that, so they never reach a process.
const IDENTITY_TAGS: &[&str] = &["From", "Owner"];

/// Names by which a node that pushes for a process says for whom.
const FROM_PROCESS: &str = "From-Process";

/// Who speaks in a verified item: its signer, unless the signer may speak for processes and names one. `trusted` says
/// whether an address may.
pub(crate) fn speaker(item: &DataItem, trusted: impl Fn(&Id) -> bool) -> Id {
    let signer = item.address();
    let claimed = item.tags().get(FROM_PROCESS).and_then(|value| value.parse().ok());
    claimed.filter(|_| trusted(&signer)).unwrap_or(signer)
}

/// Whether an item says that it is from a process.
pub(crate) fn claims_a_process(item: &DataItem) -> bool {
    item.tags().get(FROM_PROCESS).is_some_and(|value| value.parse::<Id>().is_ok())
}

/// Whether `Authority` tags (each may list several, separated by commas) name an address.
pub(crate) fn is_listed(tags: &Tags, address: &Id) -> bool {
    tags.all("Authority")
        .flat_map(|value| value.split(','))
        .filter_map(|value| value.trim().parse::<Id>().ok())
        .any(|authority| authority == *address)
}

/// The tags of an item as its receiver is given them: without claims of identity that the node has not made its own.
pub(crate) fn tags_of(item: &DataItem, from: &Id) -> Tags {
    let mut tags = item.tags().clone();
    for name in IDENTITY_TAGS {
        tags.remove(name);
    }
    if *from == item.address() {
        tags.remove(FROM_PROCESS);
    }
    tags
}

#[cfg(test)]
mod tests {
    use ao::{Wallet, WalletKind};

    use super::*;

    fn forged(wallet: &Wallet, process: &Id) -> DataItem {
        let tags = Tags::new()
            .with("Action", "Credit-Notice")
            .with("From-Process", process.to_string())
            .with("From", process.to_string())
            .with("owner", process.to_string());
        DataItem::sign(wallet, Some(Id::new([9; 32])), None, tags, Vec::new()).unwrap()
    }

    #[test]
    fn a_stranger_who_names_a_process_speaks_for_himself() {
        let stranger = Wallet::generate(WalletKind::Ed25519).unwrap();
        let item = forged(&stranger, &Id::new([7; 32]));
        let from = speaker(&item, |_| false);
        assert_eq!(from, stranger.address());
        assert_eq!(tags_of(&item, &from), Tags::new().with("Action", "Credit-Notice"));
    }

    #[test]
    fn a_listed_authority_speaks_for_a_process() {
        let other_node = Wallet::generate(WalletKind::Ed25519).unwrap();
        let process = Id::new([7; 32]);
        let listed = Tags::new().with("Authority", format!("{}, {}", Id::new([1; 32]), other_node.address()));
        let item = forged(&other_node, &process);
        assert_eq!(speaker(&item, |signer| is_listed(&listed, signer)), process);
    }

    #[test]
    fn naming_the_authority_itself_gains_nothing() {
        // aos trusts a message whose `From` is an authority; here only a signature by the authority counts.
        let (stranger, authority) = (Wallet::generate(WalletKind::Ed25519).unwrap(), Id::new([3; 32]));
        let listed = Tags::new().with("Authority", authority.to_string());
        let item = forged(&stranger, &authority);
        assert_eq!(speaker(&item, |signer| is_listed(&listed, signer)), stranger.address());
    }
}
