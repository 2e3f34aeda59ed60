//! A role that is started again and again, and dies each time where it is to.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;
use tokio::time::timeout;

use crate::crash::points::assert_died_at;
use crate::support::{Place, Role};

/// How long a role may take to die at its point: it joins its groups again first, from which the
/// one before has to be missed.
const DIES_WITHIN: Duration = Duration::from_secs(40);

/// Where to abort.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    pub point: &'static str,
    /// At which time of reaching it.
    pub n: u64,
}

/// A role that is to die.
pub struct Armed {
    pub role: Role,
    run: Run,
    reached: NamedTempFile,
    begun: Instant,
}

impl Armed {
    pub async fn start(place: &Place, args: &[&str], run: Run) -> Self {
        let reached = NamedTempFile::new().unwrap();
        let mut command = place.waybill(args);
        command
            .arg("--json")
            .env("WAYBILL_LOG", "off")
            .env("WAYBILL_CRASH_AT", format!("{}:{}", run.point, run.n))
            .env("WAYBILL_CRASH_LOG", reached.path());
        let begun = Instant::now();
        Self {
            role: Role::start(command).await,
            run,
            reached,
            begun,
        }
    }

    /// Waits until it has aborted there, and says so.
    pub async fn dies(mut self) {
        let Run { point, n } = self.run;
        let died = timeout(DIES_WITHIN, self.role.ended()).await;
        let died: ExitStatus = died.unwrap_or_else(|_| panic!("{point} was not reached {n} times"));
        let reached = std::fs::read_to_string(&self.reached).unwrap();
        assert_died_at(point, n, died, &reached);
        println!("{point}:{n}, {:.1?}", self.begun.elapsed());
    }
}

/// Dies at one point after the other, each time as another process, and says to `goes_to` where it
/// is; in the end it is one that stays.
pub async fn aborts(place: &Place, args: &[&str], runs: &[Run], goes_to: impl Fn(&Role)) -> Role {
    for run in runs {
        let armed = Armed::start(place, args, *run).await;
        goes_to(&armed.role);
        armed.dies().await;
    }
    let (name, rest) = args.split_first().unwrap();
    let stays = place.start_with(name, rest).await;
    goes_to(&stays);
    stays
}
