//! The rows: a file each, named after it.

mod a1;
mod a2;
mod a3;
mod a4;
mod a5;
mod a6;
mod appends;
mod c1;
mod c2;
mod e1;
mod e2;
mod e3;
mod g1;
mod h1;
mod hops;
mod journeys;
mod m1;
mod o1;
pub mod q1;
mod r1;
mod r2;
mod r3;
mod relays;
mod s1;
mod s2;
mod s3;
mod stocks;
mod v1;
mod v2;
mod v3;

use futures::FutureExt;
use futures::future::LocalBoxFuture;

use crate::report::Outcome;
use crate::rounds::Bench;

/// A row: measures its lines.
pub struct Row {
    pub id: &'static str,
    pub run: for<'a> fn(&'a Bench) -> LocalBoxFuture<'a, anyhow::Result<Vec<Outcome>>>,
}

macro_rules! rows {
    ($($id:literal $file:ident;)+) => {
        /// All rows, in the order in which they run.
        pub fn all() -> Vec<Row> {
            vec![$(Row {
                id: $id,
                run: |bench| $file::run(bench).boxed_local(),
            },)+]
        }
    };
}

rows! {
    "A1" a1;
    "A2" a2;
    "A3" a3;
    "A4" a4;
    "A5" a5;
    "A6" a6;
    "H1" h1;
    "R1" r1;
    "R2" r2;
    "R3" r3;
    "C1" c1;
    "C2" c2;
    "S1" s1;
    "S2" s2;
    "S3" s3;
    "V1" v1;
    "V2" v2;
    "V3" v3;
    "Q1" q1;
    "E1" e1;
    "E2" e2;
    "E3" e3;
    "O1" o1;
    "M1" m1;
    "G1" g1;
}
