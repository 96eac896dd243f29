//! The HTTP face of the node.

use std::future::Future;
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::core::Core;

/// Answers requests until `shutdown` is done, then lets those in progress finish.
pub(crate) async fn serve(
    _listener: TcpListener,
    _core: Arc<Core>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    shutdown.await;
    Ok(())
}
