//! A way to the server that breaks when it is told to: right after the server has answered, and
//! before the answer arrives.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Passes bytes on, to the server at an address.
pub struct Proxy {
    port: u16,
    cuts: Arc<Cuts>,
}

#[derive(Default)]
struct Cuts {
    wanted: AtomicUsize,
    made: AtomicUsize,
}

impl Proxy {
    pub async fn to(host: &str, port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let (server, cuts) = (format!("{host}:{port}"), Arc::new(Cuts::default()));
        let of_all = cuts.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                tokio::spawn(pass(client, server, of_all.clone()));
            }
        });
        Self { port: own, cuts }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The next answer to a writer gets lost, with its connection.
    pub fn lose_next_answer(&self) {
        self.cuts.wanted.store(1, Ordering::SeqCst);
    }

    /// How many answers were lost so far.
    pub fn lost(&self) -> usize {
        self.cuts.made.load(Ordering::SeqCst)
    }
}

async fn pass(mut client: TcpStream, mut server: TcpStream, cuts: Arc<Cuts>) {
    let (mut up, mut down) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let mut writes = false;
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let Ok(n @ 1..) = read else { return };
                // A session begins with the name of its program, or after a question about TLS.
                writes = writes || up[..n].windows(6).any(|w| w == b"writer");
                if server.write_all(&up[..n]).await.is_err() { return }
            }
            read = server.read(&mut down) => {
                let Ok(n @ 1..) = read else { return };
                // Ready for the next, after a completed SELECT: what it did is committed.
                let ready = down[..n].ends_with(b"Z\0\0\0\x05I");
                let committed = ready && down[..n].windows(6).any(|w| w == b"SELECT");
                if writes && committed
                    && cuts.wanted.swap(0, Ordering::SeqCst) == 1 {
                    cuts.made.fetch_add(1, Ordering::SeqCst);
                    return;
                }
                if client.write_all(&down[..n]).await.is_err() { return }
            }
        }
    }
}
