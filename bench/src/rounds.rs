//! Two sides, turn by turn: what slows the machine down for a while slows both.

use std::time::Duration;

use anyhow::ensure;

use crate::cpu::Meter;
use crate::place::{self, Place};
use crate::report::{Outcome, Spread};
use crate::table;

/// What every row gets.
pub struct Bench {
    /// Rounds of each side, after one that only warms up.
    pub rounds: usize,
    /// How long a round takes, where it is measured by time.
    pub round: Duration,
    pub postgres: String,
    pub kafka: String,
    pub cassandra: String,
}

/// What a round gave: a figure for each line that it measures.
#[derive(Debug, Clone)]
pub struct Round {
    pub figures: Vec<f64>,
    /// CPU time of our processes for each event or order, in microseconds.
    pub cpu_us: Option<f64>,
}

impl Round {
    /// One figure.
    pub fn of(figure: f64) -> Self {
        Self::many([figure])
    }

    /// A figure for each line.
    pub fn many(figures: impl Into<Vec<f64>>) -> Self {
        Self {
            figures: figures.into(),
            cpu_us: None,
        }
    }

    /// With the CPU time that so many of them took.
    pub fn metered(self, meter: &Meter, units: u64) -> anyhow::Result<Self> {
        let each = meter.used()?.as_secs_f64() * 1e6 / units.max(1) as f64;
        Ok(Self {
            cpu_us: Some(each),
            ..self
        })
    }
}

/// The rounds of both sides.
pub struct Rounds {
    ours: Vec<Round>,
    other: Vec<Round>,
}

impl Bench {
    /// Measures both sides turn by turn. The first turn of each only warms up.
    pub async fn interleave(
        &self,
        mut ours: impl AsyncFnMut() -> anyhow::Result<Round>,
        mut other: impl AsyncFnMut() -> anyhow::Result<Round>,
    ) -> anyhow::Result<Rounds> {
        let mut rounds = Rounds {
            ours: vec![],
            other: vec![],
        };
        for turn in 0..=self.rounds {
            let (a, b) = (ours().await?, other().await?);
            if turn > 0 {
                rounds.ours.push(a);
                rounds.other.push(b);
            }
        }
        Ok(rounds)
    }

    /// Gives `work` names of its own on the servers, and removes what it made there, whatever
    /// became of it. `own` are settings of waybill beside the servers.
    pub async fn within_place<T>(
        &self,
        own: &[&str],
        work: impl AsyncFnOnce(&Place) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let place = Place::new(self, own)?;
        let done = work(&place).await;
        let removed = place.remove().await;
        let done = done?;
        removed?;
        Ok(done)
    }

    /// The same where nothing but topics is needed; they are new, and empty.
    pub async fn within_topics<T>(
        &self,
        work: impl AsyncFnOnce(&Place) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let place = Place::new(self, &[])?;
        place.make_topics().await?;
        let done = work(&place).await;
        let removed = place::remove_topics(&self.kafka, &place.kafka()).await;
        let done = done?;
        removed?;
        Ok(done)
    }
}

impl Rounds {
    /// The line `id`, which is figure number `n` of each round.
    pub fn line(&self, id: &str, n: usize) -> anyhow::Result<Outcome> {
        let all = |rounds: &[Round]| rounds.iter().map(|r| r.figures[n]).collect::<Vec<_>>();
        let (ours, other) = (all(&self.ours), all(&self.other));
        // A side that did nothing would make the other one endlessly better.
        let measured = |figure: &f64| figure.is_finite() && *figure > 0.0;
        ensure!(
            ours.iter().chain(&other).all(measured),
            "{id} has rounds without a figure: ours {ours:?}, other {other:?}"
        );
        let ratios = ours.iter().zip(&other).map(|(a, b)| a / b).collect();
        let cpu: Vec<f64> = self.ours.iter().filter_map(|round| round.cpu_us).collect();
        Ok(Outcome {
            line: table::line(id)?,
            ours: median(ours),
            other: Some(median(other)),
            ratio: Some(Spread::of(ratios)),
            cpu_us: (!cpu.is_empty()).then(|| median(cpu)),
        })
    }
}

/// The one in the middle.
pub fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    match of.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => of[n / 2],
        n => (of[n / 2 - 1] + of[n / 2]) / 2.0,
    }
}

/// What hops that share the machine, one after another, come to: each at its rate.
pub fn one_after_another(rates: &[f64]) -> f64 {
    1.0 / rates.iter().map(|rate| 1.0 / rate).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_one_in_the_middle_or_between_the_two() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn a_round_without_a_figure_is_no_measurement() {
        let of = |figure| vec![Round::of(figure)];
        let line = |ours, other| {
            let (ours, other) = (of(ours), of(other));
            Rounds { ours, other }.line("A1", 0)
        };
        assert!(line(1.0, 2.0).is_ok());
        assert!(line(1.0, 0.0).is_err());
        assert!(line(f64::NAN, 2.0).is_err());
    }

    #[test]
    fn two_hops_of_one_rate_come_to_half_of_it() {
        assert_eq!(one_after_another(&[10.0, 10.0]), 5.0);
    }
}
