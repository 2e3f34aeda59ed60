//! Servers that talk TLS and ask who is there, on ports and in a folder of their own.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use scylla::client::session_builder::SessionBuilder;
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

use super::PASSWORD;
use super::authority::Authority;
use crate::support::eventually;

/// What the settings of servers are in, beside what `conf/` says.
const ENVIRONMENT: &str = "SERVERS_SETTINGS";

const POSTGRES: &str = "\
ssl = on
ssl_cert_file = 'server.pem'
ssl_key_file = 'server.key'
";
/// Nobody without TLS, nobody without a password.
const POSTGRES_LOGINS: &str = "hostssl all all 127.0.0.1/32 scram-sha-256\n";

/// The script asks at the listener that it knows; clients are sent to the others.
const KAFKA: &str = "\
listeners=PLAINTEXT://127.0.0.1:@PORT@,CONTROLLER://127.0.0.1:@CONTROLLER_PORT@,\
SASL_SSL://127.0.0.1:{SASL_SSL},SASL_PLAINTEXT://127.0.0.1:{SASL_PLAINTEXT}
advertised.listeners=PLAINTEXT://127.0.0.1:@PORT@,\
SASL_SSL://127.0.0.1:{SASL_SSL},SASL_PLAINTEXT://127.0.0.1:{SASL_PLAINTEXT}
listener.security.protocol.map=\
PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,SASL_PLAINTEXT:SASL_PLAINTEXT
listener.name.sasl_ssl.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl_plaintext.sasl.enabled.mechanisms=PLAIN
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_plaintext.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_shop=\"{PASSWORD}\";
ssl.keystore.type=PEM
ssl.keystore.location={KEYSTORE}
";

const CASSANDRA: &str = "\
authenticator: PasswordAuthenticator
client_encryption_options:
  enabled: true
  # The script asks without TLS whether it answers.
  optional: true
  keystore: \"{KEYSTORE}\"
  ssl_context_factory:
    class_name: org.apache.cassandra.security.PEMBasedSslContextFactory
";

const REDIS: &str = "\
tls-port {TLS_PORT}
tls-cert-file \"{FOLDER}/server.pem\"
tls-key-file \"{FOLDER}/server.key\"
tls-ca-cert-file \"{FOLDER}/ca/ca.pem\"
tls-auth-clients no
user default off
user shop on >{PASSWORD} ~* &* +@all
";

/// Four servers, ended with it.
pub struct Servers {
    folder: PathBuf,
    pub authority: Authority,
    postgres: String,
    cassandra: String,
    redis_port: u16,
    sasl_ssl_port: u16,
    sasl_plaintext_port: u16,
}

/// Where they are, and who asks.
pub struct Reached {
    pub postgres: String,
    pub migrate_postgres: String,
    pub kafka_brokers: String,
    /// Where this program has TLS to Kafka, SCRAM over TLS, else a password in the open.
    pub kafka_properties: BTreeMap<String, String>,
    pub cassandra_nodes: String,
    pub redis: String,
    pub password: String,
    pub ca: PathBuf,
}

impl Servers {
    pub async fn up() -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("secured");
        let authority = Authority::new(&folder.join("settings/ca"));
        let mut servers = Self {
            authority,
            postgres: String::new(),
            cassandra: String::new(),
            redis_port: free_port(),
            sasl_ssl_port: free_port(),
            sasl_plaintext_port: free_port(),
            folder,
        };
        servers.write_settings();
        servers.share_jars();
        // What an earlier run that was killed left behind.
        servers.run(&["down"]);
        servers.give_postgres_a_password().await;
        servers.run(&["up"]);
        servers.cassandra = servers.address("CASSANDRA_NODES");
        servers.give_cassandra_a_user().await;
        servers
    }

    /// How the program gets there.
    pub fn reached_with(&self, password: &str, trusting: &Authority) -> Reached {
        let ca = trusting.file();
        let shown = ca.display().to_string();
        let postgres = |user: &str| {
            let place = self.postgres.split_once('@').unwrap().1;
            format!("postgres://{user}:{password}@{place}?sslmode=verify-full&sslrootcert={shown}")
        };
        let (port, protocol, mechanism) = match cfg!(feature = "kafka-tls") {
            true => (self.sasl_ssl_port, "SASL_SSL", "SCRAM-SHA-512"),
            false => (self.sasl_plaintext_port, "SASL_PLAINTEXT", "PLAIN"),
        };
        let mut kafka_properties = BTreeMap::from(
            [
                ("security.protocol", protocol),
                ("sasl.mechanism", mechanism),
                ("sasl.username", "shop"),
                ("sasl.password", password),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned())),
        );
        if cfg!(feature = "kafka-tls") {
            kafka_properties.insert("ssl.ca.location".to_owned(), shown.clone());
        }
        Reached {
            postgres: postgres("shop"),
            migrate_postgres: postgres("postgres"),
            kafka_brokers: format!("127.0.0.1:{port}"),
            kafka_properties,
            cassandra_nodes: self.cassandra.clone(),
            redis: format!("rediss://shop:{password}@127.0.0.1:{}/0", self.redis_port),
            password: password.to_owned(),
            ca,
        }
    }

    /// Its first user has a password that everybody knows.
    async fn give_cassandra_a_user(&self) {
        let first = SessionBuilder::new()
            .known_node(&self.cassandra)
            .user("cassandra", "cassandra");
        let session = eventually(|| first.build(), Result::is_ok).await.unwrap();
        let cql = format!(
            "CREATE ROLE shop WITH PASSWORD = '{PASSWORD}' AND LOGIN = true AND SUPERUSER = true"
        );
        session.query_unpaged(cql, ()).await.unwrap();
    }

    fn write_settings(&self) {
        let settings = self.settings();
        let (certificate, key) = self.authority.server();
        let write = |name: &str, text: &str| std::fs::write(settings.join(name), text).unwrap();
        write("server.pem", &certificate);
        write("server.key", &key);
        write("both.pem", &format!("{key}{certificate}"));
        let keystore = settings.join("both.pem").display().to_string();
        let fill = |text: &str| {
            text.replace("{FOLDER}", &settings.display().to_string())
                .replace("{KEYSTORE}", &keystore)
                .replace("{PASSWORD}", PASSWORD)
                .replace("{TLS_PORT}", &self.redis_port.to_string())
                .replace("{SASL_SSL}", &self.sasl_ssl_port.to_string())
                .replace("{SASL_PLAINTEXT}", &self.sasl_plaintext_port.to_string())
        };
        write("kafka.properties", &fill(KAFKA));
        let user = format!("--add-scram\nSCRAM-SHA-512=[name=shop,password={PASSWORD}]\n");
        write("kafka.users", &user);
        write("cassandra.yaml", &fill(CASSANDRA));
        write("redis.conf", &fill(REDIS));
        drop(std::fs::remove_file(settings.join("postgresql.conf")));
        drop(std::fs::remove_dir_all(settings.join("postgres")));
    }

    /// Those that `make test` got are not to be got again.
    fn share_jars(&self) {
        let got = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/servers/jars");
        let jars = self.folder.join("jars");
        if got.is_dir() && !jars.exists() {
            std::os::unix::fs::symlink(got, jars).unwrap();
        }
    }

    /// It has to run to be given one; then it starts again, and asks for it.
    async fn give_postgres_a_password(&mut self) {
        self.run(&["up", "postgres"]);
        self.postgres = self.address("POSTGRES_URL");
        let server: PgConnectOptions = self.postgres.parse().unwrap();
        let mut on = server.connect().await.unwrap();
        let sql = format!(
            "ALTER ROLE postgres PASSWORD '{PASSWORD}'; CREATE ROLE shop LOGIN PASSWORD '{PASSWORD}'"
        );
        sqlx::raw_sql(&sql).execute(&mut on).await.unwrap();
        drop(on);
        self.run(&["stop", "postgres"]);

        let settings = self.settings();
        std::fs::write(settings.join("postgresql.conf"), POSTGRES).unwrap();
        let own = settings.join("postgres");
        std::fs::create_dir_all(&own).unwrap();
        for name in ["server.pem", "server.key"] {
            std::fs::copy(settings.join(name), own.join(name)).unwrap();
        }
        std::fs::write(own.join("pg_hba.conf"), POSTGRES_LOGINS).unwrap();
    }

    fn settings(&self) -> PathBuf {
        self.folder.join("settings")
    }

    fn address(&self, variable: &str) -> String {
        let exports = self.run(&["env"]);
        let line = exports
            .lines()
            .find_map(|line| line.split_once(&format!("WAYBILL_{variable}=")));
        line.expect("its address").1.replace('\\', "")
    }

    fn run(&self, arguments: &[&str]) -> String {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/servers/servers");
        let mut command = Command::new(script);
        for given in [
            "POSTGRES_URL",
            "KAFKA_BROKERS",
            "CASSANDRA_NODES",
            "REDIS_URL",
        ] {
            command.env_remove(format!("WAYBILL_{given}"));
        }
        let ran = command
            .args(arguments)
            .env("SERVERS_DIR", &self.folder)
            .env("REQUIRE_SERVERS", "1")
            .env(ENVIRONMENT, self.settings())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{arguments:?}: {said}");
        String::from_utf8(ran.stdout).unwrap()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.run(&["down"]);
    }
}

/// A port of the loopback that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
