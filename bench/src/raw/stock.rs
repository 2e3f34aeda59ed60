//! Reservations as one would write them: a transaction each, that inserts the event and moves the
//! counter. The row of a hot SKU is locked last, so that it is held for the commit alone.

use infra::ids;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

use crate::load::Client;

/// Who reserves at once.
pub const CONNECTIONS: u32 = 32;

const TABLES: &str = "CREATE TABLE stock (
    sku     text PRIMARY KEY,
    on_hand bigint NOT NULL,
    held    bigint NOT NULL CHECK (held BETWEEN 0 AND on_hand)) WITH (fillfactor = 20);
    CREATE TABLE reservations (
    order_id   uuid PRIMARY KEY,
    sku        text NOT NULL,
    quantity   bigint NOT NULL,
    payload    json NOT NULL,
    at         timestamptz NOT NULL DEFAULT now());
    INSERT INTO stock VALUES ('hot', 1000000000, 0)";

/// The tables, in the database of `options`.
pub async fn tables(options: PgConnectOptions) -> anyhow::Result<PgPool> {
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .min_connections(CONNECTIONS)
        .test_before_acquire(false)
        .connect_with(options)
        .await?;
    sqlx::raw_sql(TABLES).execute(&pool).await?;
    Ok(pool)
}

/// Reserves one of the hot SKU, again and again.
pub struct Reserves(pub PgPool);

impl Client for Reserves {
    async fn ask(&mut self) -> anyhow::Result<u64> {
        let mut transaction = self.0.begin().await?;
        sqlx::query(
            "INSERT INTO reservations (order_id, sku, quantity, payload) VALUES ($1::uuid, $2, $3, $4::json)",
        )
        .bind(ids::unique().to_string())
        .bind("hot")
        .bind(1_i64)
        .bind(r#"{"type":"reserved","lines":[{"sku":"hot","quantity":1}]}"#)
        .execute(&mut *transaction)
        .await?;
        let moved = sqlx::query(
            "UPDATE stock SET held = held + $2 WHERE sku = $1 AND on_hand - held >= $2",
        )
        .bind("hot")
        .bind(1_i64)
        .execute(&mut *transaction)
        .await?;
        anyhow::ensure!(moved.rows_affected() == 1, "out of stock");
        transaction.commit().await?;
        Ok(1)
    }
}

/// That there are so many reservations, and one unit is held for each.
pub async fn check(pool: &PgPool, reservations: u64) -> anyhow::Result<()> {
    let (held, count): (i64, i64) =
        sqlx::query_as("SELECT (SELECT held FROM stock), (SELECT count(*) FROM reservations)")
            .fetch_one(pool)
            .await?;
    anyhow::ensure!(
        held == count && count as u64 == reservations,
        "{held} are held by {count} reservations of {reservations}"
    );
    Ok(())
}
