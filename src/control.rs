//! The way of tools to a running pipeline: a Unix socket in the data directory.
//!
//! One request, one answer, each a line of JSON. Who may open the socket may do anything that the
//! tools do, so only its owner may (mode 0600).

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use infra::tasks::Tasks;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{sleep, timeout};

use crate::tools::{Request, ToolError, Tools};

const NAME: &str = "control.sock";
/// The longest path of a Unix socket, in bytes (`sun_path` less its NUL).
const MAX_PATH: usize = 107;
/// The largest request.
const MAX_REQUEST: u64 = 64 * 1024;
/// The longest that an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// The pause after a connection that could not be accepted: without one, a process that is out
/// of file descriptors would do nothing else.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A bound socket.
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
}

/// Why the socket cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The system allows no such path.
    #[error(
        "the path {0} is too long for a socket ({MAX_PATH} bytes at most): choose a shorter \
         data_dir"
    )]
    TooLong(PathBuf),
    /// The system refuses.
    #[error("the socket {path} cannot be used")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The answer is not one of ours.
    #[error("the pipeline gave no answer: {0}")]
    NoAnswer(String),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Answer {
    Ok(Value),
    Error(ToolError),
}

impl Control {
    /// Makes the socket in `data_dir`, which this process holds: one that is left over belongs to
    /// nobody.
    ///
    /// # Errors
    /// [`ControlError`]
    pub fn bind(data_dir: &Path) -> Result<Self, ControlError> {
        let path = path_in(data_dir)?;
        let bind = || {
            // Made under another name, so that it is never seen with other permissions.
            let draft = data_dir.join("control.new");
            remove(&draft)?;
            let listener = UnixListener::bind(&draft)?;
            fs::set_permissions(&draft, fs::Permissions::from_mode(0o600))?;
            fs::rename(&draft, &path)?;
            Ok(listener)
        };
        match bind() {
            Ok(listener) => Ok(Self { listener, path }),
            Err(source) => Err(ControlError::Io { path, source }),
        }
    }

    /// Answers until `tasks` are asked to end.
    pub fn serve(self, tools: Tools, tasks: &Tasks) {
        let stop = tasks.stopping();
        let clients = tasks.clone();
        tasks.spawn("control socket", async move {
            loop {
                let accepted = tokio::select! {
                    () = stop.cancelled() => break,
                    accepted = self.listener.accept() => accepted,
                };
                match accepted {
                    Ok((client, _)) => {
                        clients.spawn("control request", answer(client, tools.clone()));
                    }
                    Err(e) => {
                        tracing::warn!(error = %e, "a tool could not connect");
                        sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
            if let Err(e) = remove(&self.path) {
                tracing::warn!(error = %e, "the control socket stays");
            }
        });
    }
}

/// True where a pipeline that holds `data_dir` can be asked.
///
/// # Errors
/// [`ControlError`] where nobody can listen there.
pub async fn is_up(data_dir: &Path) -> Result<bool, ControlError> {
    let path = path_in(data_dir)?;
    match UnixStream::connect(&path).await {
        Ok(_) => Ok(true),
        Err(e) if nobody_listens(&e) => Ok(false),
        Err(source) => Err(ControlError::Io { path, source }),
    }
}

/// Asks the pipeline that holds `data_dir`; `None` where nobody listens there.
///
/// # Errors
/// [`ControlError`]; the tool's own error is inside.
pub async fn ask(
    data_dir: &Path,
    request: &Request,
) -> Result<Option<Result<Value, ToolError>>, ControlError> {
    let path = path_in(data_dir)?;
    let client = match UnixStream::connect(&path).await {
        Ok(client) => client,
        Err(e) if nobody_listens(&e) => return Ok(None),
        Err(source) => return Err(ControlError::Io { path, source }),
    };
    let no_answer = |e: &dyn std::fmt::Display| ControlError::NoAnswer(e.to_string());
    let line = serde_json::to_string(request).map_err(|e| no_answer(&e))?;
    let conversation = timeout(ANSWER_WITHIN, converse(client, line)).await;
    let answer = conversation
        .map_err(|e| no_answer(&e))?
        .map_err(|e| no_answer(&e))?;
    match serde_json::from_str(&answer).map_err(|e| no_answer(&e))? {
        Answer::Ok(value) => Ok(Some(Ok(value))),
        Answer::Error(e) => Ok(Some(Err(e))),
    }
}

async fn converse(mut client: UnixStream, line: String) -> io::Result<String> {
    client.write_all(line.as_bytes()).await?;
    client.write_all(b"\n").await?;
    let mut answer = String::new();
    client.read_to_string(&mut answer).await?;
    Ok(answer)
}

async fn answer(client: UnixStream, tools: Tools) {
    let answered = timeout(ANSWER_WITHIN, answer_one(client, &tools)).await;
    match answered {
        Ok(Ok(())) => {}
        Ok(Err(e)) => tracing::warn!(error = %e, "a tool got no answer"),
        Err(_) => tracing::warn!("a tool waited too long"),
    }
}

async fn answer_one(mut client: UnixStream, tools: &Tools) -> io::Result<()> {
    let (read, mut write) = client.split();
    let mut line = String::new();
    BufReader::new(read.take(MAX_REQUEST))
        .read_line(&mut line)
        .await?;
    if line.is_empty() {
        // Somebody looked whether anybody listens.
        return Ok(());
    }
    let answer = match serde_json::from_str(&line) {
        Ok(request) => match tools.answer(request).await {
            Ok(value) => Answer::Ok(value),
            Err(e) => Answer::Error(e),
        },
        Err(e) => Answer::Error(ToolError::new("bad-request", e.to_string())),
    };
    write.write_all(&serde_json::to_vec(&answer)?).await?;
    write.write_all(b"\n").await
}

fn path_in(data_dir: &Path) -> Result<PathBuf, ControlError> {
    let path = data_dir.join(NAME);
    // The draft's name is no longer than this one.
    if path.as_os_str().len() > MAX_PATH {
        return Err(ControlError::TooLong(path));
    }
    Ok(path)
}

fn nobody_listens(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
    )
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}
