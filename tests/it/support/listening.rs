use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Serves whoever comes, each beside the others, until what it returns is dropped.
pub fn serve_all<F: Future<Output = ()> + Send + 'static>(
    listener: TcpListener,
    serve: impl Fn(TcpStream) -> F + Send + 'static,
) -> JoinSet<()> {
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            // Out of files for a moment, or who came has gone away again.
            let Ok((socket, _)) = listener.accept().await else {
                continue;
            };
            connections.spawn(serve(socket));
            while connections.try_join_next().is_some() {}
        }
    });
    serving
}
