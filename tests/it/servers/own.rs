//! Servers that nobody else uses, to be stopped and killed, and reached through proxies.

use std::net::TcpListener;
use std::ops::Range;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tokio::sync::{Mutex, MutexGuard};
use tokio::task::spawn_blocking;

use crate::support::Addresses;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/servers/servers");
/// Where in its folder a set has settings of its own.
const SETTINGS: &str = "settings";
const MOST: [&str; 4] = ["postgres", "kafka", "cassandra", "redis"];
/// What the script takes for servers that are somebody else's.
const VARIABLES: [&str; 4] = [
    "WAYBILL_POSTGRES_URL",
    "WAYBILL_KAFKA_BROKERS",
    "WAYBILL_CASSANDRA_NODES",
    "WAYBILL_REDIS_URL",
];

/// What its Kafka says beside its usual address: to clients that come in here, that the broker is
/// there, where a proxy may be.
const ANOTHER_LISTENER: &str = "\
listeners=PLAINTEXT://127.0.0.1:@PORT@,CONTROLLER://127.0.0.1:@CONTROLLER_PORT@,\
PROXIED://127.0.0.1:{here}
advertised.listeners=PLAINTEXT://127.0.0.1:@PORT@,PROXIED://127.0.0.1:{there}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT
";
/// Ports that neither the script nor the kernel chooses, so that they are free later too.
const PORTS: Range<u16> = 12_000..20_000;

/// One of each server, and another Postgres server for the inventory service alone.
pub struct Own {
    pub most: Set,
    pub inventory: Set,
    pub addresses: Addresses,
    pub broker: Detour,
}

/// A way to a server by somebody in between.
#[derive(Debug, Clone)]
pub struct Detour {
    /// Where the server takes those who come that way.
    pub server: String,
    /// The port at which it tells them that it is.
    pub told: u16,
}

/// Waits until nobody else has the servers: what is stopped is stopped for all. They are started
/// once, and end with this process, however that ends. None where those that tests share are
/// missing.
pub async fn servers() -> Option<MutexGuard<'static, Option<Own>>> {
    static OWN: Mutex<Option<Own>> = Mutex::const_new(None);
    Addresses::shared()?;
    let mut own = OWN.lock().await;
    match own.as_ref() {
        None => *own = Some(spawn_blocking(Own::up).await.unwrap()),
        // A test that failed may have left some as they were.
        Some(own) => own.mend().await,
    }
    Some(own)
}

impl Own {
    fn up() -> Self {
        let [here, there] = [free_port(), free_port()];
        let listeners = ANOTHER_LISTENER
            .replace("{here}", &here.to_string())
            .replace("{there}", &there.to_string());
        let most = Set::up("stopped", &MOST, &[("kafka.properties", &listeners)]);
        let inventory = Set::up("stopped-inventory", &["postgres"], &[]);
        let addresses = Addresses {
            postgres: most.address("POSTGRES_URL"),
            inventory: Some(inventory.address("POSTGRES_URL")),
            kafka: most.address("KAFKA_BROKERS"),
            cassandra: most.address("CASSANDRA_NODES"),
            redis: most.address("REDIS_URL"),
        };
        Self {
            most,
            inventory,
            addresses,
            broker: Detour {
                server: format!("127.0.0.1:{here}"),
                told: there,
            },
        }
    }

    async fn mend(&self) {
        for (set, servers) in [(&self.most, &MOST[..]), (&self.inventory, &["postgres"])] {
            for server in servers {
                set.does("start", server).await;
            }
        }
    }
}

/// Some servers in a folder.
pub struct Set {
    folder: PathBuf,
    /// Ends them once nobody holds the other end of its input any more.
    _guard: Child,
}

impl Set {
    /// Starts them, with settings that are added to the files of those names.
    fn up(name: &str, servers: &[&str], settings: &[(&str, &str)]) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(folder.join(SETTINGS)).unwrap();
        for (file, added) in settings {
            std::fs::write(folder.join(SETTINGS).join(file), added).unwrap();
        }
        let guard = Command::new("setsid")
            .args(["sh", "-c", "read -r _; exec \"$0\" down", SCRIPT])
            .env("SERVERS_DIR", &folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let set = Self {
            folder,
            _guard: guard.unwrap(),
        };
        // An earlier run that was killed may still be about to end its own, which say otherwise.
        set.run(&["down"]);
        set.run(&[&["up"], servers].concat());
        set
    }

    /// `kill`, `stop`, `start`, `pause` or `resume`, and which. Returns when it is done.
    pub async fn does(&self, verb: &'static str, server: &'static str) {
        let set = self.script();
        let run = move || run(set, &[verb, server]);
        spawn_blocking(run).await.unwrap();
    }

    fn address(&self, variable: &str) -> String {
        let exports = self.run(&["env"]);
        let assigns = format!("export WAYBILL_{variable}=");
        let line = exports.lines().find_map(|line| line.strip_prefix(&assigns));
        let address = line.unwrap_or_else(|| panic!("no {variable} in {exports}"));
        address.trim_matches('\'').to_owned()
    }

    fn run(&self, arguments: &[&str]) -> String {
        run(self.script(), arguments)
    }

    fn script(&self) -> Command {
        let mut script = Command::new(SCRIPT);
        script.env("SERVERS_DIR", &self.folder);
        script.env("SERVERS_SETTINGS", self.folder.join(SETTINGS));
        for variable in VARIABLES {
            script.env_remove(variable);
        }
        script
    }
}

fn free_port() -> u16 {
    let mut ports = std::iter::repeat_with(|| fastrand::u16(PORTS));
    let free = ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.unwrap()
}

fn run(mut script: Command, arguments: &[&str]) -> String {
    let ran = script.args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{arguments:?}: {said}");
    String::from_utf8(ran.stdout).unwrap()
}
