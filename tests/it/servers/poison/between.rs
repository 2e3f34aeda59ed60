//! Somebody between a pipeline and its brokers, who breaks records on their way to the topics.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use infra::bus::Record;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::wire;
use crate::support::serve_all;

/// Decides of a record, of which topic it is and by how much it may grow, whether to change it, and
/// does.
pub type Breaks = Box<dyn FnMut(&str, &mut Record, usize) -> bool + Send>;

/// One of a connection's two ways.
type Half = std::io::Result<()>;

/// The requests whose answers say where brokers are.
const METADATA: i16 = 3;
const FIND_COORDINATOR: i16 = 10;

/// Between whoever talks to [`brokers`](Self::brokers) and the real ones.
pub struct Between {
    brokers: String,
    _serving: JoinSet<()>,
}

struct Way {
    breaks: Mutex<Breaks>,
    /// As they are in what a broker says of itself: the host, and the port behind it.
    theirs: Vec<u8>,
    ours: Vec<u8>,
    brokers: String,
}

impl Between {
    pub async fn start(brokers: &str, breaks: Breaks) -> Self {
        let (host, port) = brokers.split_once(':').unwrap();
        let listener = TcpListener::bind((host, 0)).await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let said = |port: u16| [host.as_bytes(), &i32::from(port).to_be_bytes()].concat();
        let way = Way {
            breaks: Mutex::new(breaks),
            theirs: said(port.parse().unwrap()),
            ours: said(own),
            brokers: brokers.to_owned(),
        };
        let way = Arc::new(way);
        Self {
            brokers: format!("{host}:{own}"),
            _serving: serve_all(listener, move |socket| serve(socket, way.clone())),
        }
    }

    /// Where it is.
    pub fn brokers(&self) -> String {
        self.brokers.clone()
    }
}

async fn serve(socket: TcpStream, way: Arc<Way>) {
    let Ok(broker) = TcpStream::connect(&way.brokers).await else {
        return;
    };
    socket.set_nodelay(true).unwrap();
    broker.set_nodelay(true).unwrap();
    let (from_client, to_client) = socket.into_split();
    let (from_broker, to_broker) = broker.into_split();
    // Who hangs up ends both.
    let asked = Mutex::default();
    tokio::select! {
        _ = there(from_client, to_broker, &way, &asked) => {}
        _ = back(from_broker, to_client, &way, &asked) => {}
    }
}

/// The numbers of requests that ask where brokers are.
type Asked = Mutex<HashSet<[u8; 4]>>;

async fn there(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, way: &Way, asked: &Asked) -> Half {
    loop {
        let request = frame(&mut from).await?;
        let api = i16::from_be_bytes([request[0], request[1]]);
        if [METADATA, FIND_COORDINATOR].contains(&api) {
            let number = request[4..8].try_into().unwrap();
            asked.lock().unwrap().insert(number);
        }
        let changed = {
            let mut breaks = way.breaks.lock().unwrap();
            wire::change(&request, &mut *breaks)
        };
        send(&mut to, &changed.unwrap_or(request)).await?;
    }
}

async fn back(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, way: &Way, asked: &Asked) -> Half {
    let Way { theirs, ours, .. } = way;
    loop {
        let mut answer = frame(&mut from).await?;
        let says_where = asked.lock().unwrap().remove(&answer[..4]);
        let mut at = if says_where { 0 } else { answer.len() };
        while let Some(found) = answer[at..].windows(theirs.len()).position(|w| w == theirs) {
            at += found;
            answer[at..at + ours.len()].copy_from_slice(ours);
        }
        send(&mut to, &answer).await?;
    }
}

async fn frame(from: &mut OwnedReadHalf) -> std::io::Result<Vec<u8>> {
    let length = from.read_u32().await?;
    let mut frame = vec![0; length as usize];
    from.read_exact(&mut frame).await?;
    Ok(frame)
}

async fn send(to: &mut OwnedWriteHalf, frame: &[u8]) -> Half {
    to.write_u32(u32::try_from(frame.len()).unwrap()).await?;
    to.write_all(frame).await
}
