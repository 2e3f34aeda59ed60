use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use waybill::adapters::Adapters;

use super::audit;
use super::load::Sent;
use crate::support::{Client, Moment, Place, Role, settled};

/// The longest until everything has ended: a lock on a payment whose holder was killed lives for
/// 30 s, and whatever could not be done in an outage is tried again within a few.
const ENDS_WITHIN: Duration = Duration::from_secs(90);

/// Two processes of every role.
pub struct Fleet {
    pub commands: [Role; 2],
    pub projectors: [Role; 2],
    pub queries: [Role; 2],
    directory: Directory,
    adapters: Adapters,
    /// Last, since what it has on the servers is removed with it.
    pub place: Place,
}

/// Where the APIs are at the moment.
#[derive(Clone)]
pub struct Directory(Arc<Mutex<[Client; 2]>>);

impl Directory {
    pub fn of(clients: [Client; 2]) -> Self {
        Self(Arc::new(Mutex::new(clients)))
    }

    /// That one is there now.
    #[cfg(feature = "crash-points")]
    pub fn moves_to(&self, client: &Client) {
        *self.0.lock().unwrap() = [client.clone(), client.clone()];
    }

    /// One of the two.
    pub fn client(&self, which: usize) -> Client {
        self.0.lock().unwrap()[which % 2].clone()
    }
}

impl Fleet {
    pub async fn start(place: Place) -> Self {
        let two =
            async |role| <[Role; 2]>::from(tokio::join!(place.start(role), place.start(role)));
        let (commands, projectors, queries) =
            tokio::join!(two("command-api"), two("projectors"), two("query-api"));
        let directory = [0, 1].map(|n| client(&commands[n], &queries[n]));
        let adapters = Adapters::open(&place.config()).unwrap();
        Self {
            commands,
            projectors,
            queries,
            directory: Directory::of(directory),
            adapters,
            place,
        }
    }

    pub fn directory(&self) -> Directory {
        self.directory.clone()
    }

    /// Kills one of the six processes, and starts another in its place; says which role it has.
    pub async fn kill_one(&mut self, n: usize) -> &'static str {
        let which = n % 2;
        let (name, role) = match n / 2 {
            0 => ("command-api", &mut self.commands[which]),
            1 => ("projectors", &mut self.projectors[which]),
            _ => ("query-api", &mut self.queries[which]),
        };
        replace(&self.place, name, role).await;
        self.is_at(which);
        name
    }

    /// Kills one of every role, and starts another in its place.
    pub async fn kill_and_replace(&mut self, which: usize) {
        let Self {
            commands,
            projectors,
            queries,
            ..
        } = self;
        replace(&self.place, "command-api", &mut commands[which]).await;
        replace(&self.place, "projectors", &mut projectors[which]).await;
        replace(&self.place, "query-api", &mut queries[which]).await;
        self.is_at(which);
    }

    fn is_at(&self, which: usize) {
        let found = client(&self.commands[which], &self.queries[which]);
        self.directory.0.lock().unwrap()[which] = found;
    }

    /// All processes.
    pub fn roles(&self) -> impl Iterator<Item = &Role> {
        let roles = self.commands.iter().chain(&self.projectors);
        roles.chain(&self.queries)
    }

    /// That none has exited.
    #[track_caller]
    pub fn expect_up(&mut self) {
        let roles = self.commands.iter_mut().chain(&mut self.projectors);
        roles.chain(&mut self.queries).for_each(Role::expect_up);
    }

    /// Waits until everything has ended; what `waybill status` says then.
    #[track_caller]
    pub fn settled(&self) -> impl Future<Output = Value> {
        settled(ENDS_WITHIN, || Moment::of(&self.adapters))
    }

    /// Waits until everything has ended, ends the processes, and looks at what is there.
    pub async fn finish(mut self, sent: &[Sent]) {
        let begun = Instant::now();
        self.settled().await;
        self.expect_up();
        let ended = begun.elapsed();
        audit::audit(&self.place, &self.adapters, sent).await;
        println!(
            "all had ended after {ended:.1?}, all is as it should after {:.1?}",
            begun.elapsed()
        );
        self.terminate().await;
    }

    pub async fn terminate(self) {
        drop(self.end().await);
    }

    /// Ends the processes; what they have left is there as long as the place is.
    pub async fn end(self) -> Place {
        let Self {
            commands,
            projectors,
            queries,
            place,
            ..
        } = self;
        let roles = commands.into_iter().chain(projectors).chain(queries);
        futures::future::join_all(roles.map(Role::terminate)).await;
        place
    }
}

fn client(commands: &Role, queries: &Role) -> Client {
    Client::new(commands.url(), queries.url())
}

async fn replace(place: &Place, name: &str, role: &mut Role) {
    let other = place.start(name);
    // Nobody is there while the other starts.
    role.kill().await;
    *role = other.await;
}
