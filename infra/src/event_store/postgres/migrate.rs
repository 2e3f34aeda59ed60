//! Makes the database of a service, its roles and its tables, and brings them to this version.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, Executor};
use tokio::time::timeout;

use super::errors::cause;
use super::place::{self, PostgresPlace};

/// The migrations, in order. One that was published is never edited.
const MIGRATIONS: &[(&str, &str)] = &[(
    "0001_events",
    include_str!("../../../../schemas/postgres/0001_events.sql"),
)];
const GRANTS: &str = include_str!("../../../../schemas/postgres/grants.sql");

/// The version that this program needs.
pub(super) const VERSION: i32 = MIGRATIONS.len() as i32;

/// One of all that migrate at once goes first.
const LOCK: &str = "SELECT pg_advisory_lock(7302)";
/// How long to wait for another that migrates.
const LOCK_TIMEOUT: &str = "60s";
/// What the server says about a role and about a database that are there already.
const EXISTS: [&str; 3] = ["42710", "42P04", "23505"];
/// How long to wait for the server.
const CONNECT: Duration = Duration::from_secs(10);

/// What a migration did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The database.
    pub database: String,
    /// It did not exist.
    pub created: bool,
    /// The migrations that were applied now.
    pub applied: Vec<&'static str>,
}

/// Why a database was not migrated. Nothing was changed in it, but roles and an empty database may
/// have been made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MigrateError {
    /// The URL is none.
    #[error("the URL {0}")]
    Url(place::InvalidPlace),
    /// A newer program has migrated it.
    #[error(
        "the database {database} has version {found}, and this program knows {VERSION} at most: \
         use the newer waybill that migrated it; nothing was changed"
    )]
    Newer {
        /// Which.
        database: String,
        /// Its version.
        found: i32,
    },
    /// The server cannot be reached, or refuses.
    #[error("cannot {doing}: {cause}")]
    Failed {
        /// What was tried.
        doing: String,
        /// What the server said.
        cause: String,
    },
}

/// Makes what is missing at `place`, as the user of `url`, who may create databases and roles:
/// the roles, of which the login of `place` gets that of running programs; the database; and its
/// tables in the version that this program needs. Safe to repeat, and to run twice at a time.
///
/// # Errors
/// [`MigrateError`]
pub async fn migrate(url: &str, place: &PostgresPlace) -> Result<Migrated, MigrateError> {
    let server = place::parse(url).map_err(MigrateError::Url)?;
    let quiet = [
        ("lock_timeout", LOCK_TIMEOUT),
        ("client_min_messages", "warning"),
    ];
    let server = server
        .application_name("waybill migrate")
        .options(quiet)
        .disable_statement_logging();
    let created = prepare(&server, place).await?;

    let database = place.database();
    let mut on = connect(&place.within(server, &place.owner()), &database).await?;
    let applied = upgrade(&mut on, place).await?;
    drop(on.close().await);
    Ok(Migrated {
        database,
        created,
        applied,
    })
}

/// Makes the roles and the database, and says whether it did not exist.
async fn prepare(server: &PgConnectOptions, place: &PostgresPlace) -> Result<bool, MigrateError> {
    let (database, owner, run) = (place.database(), place.owner(), place.run());
    let mut on = connect(server, "the server").await?;
    run_sql(&mut on, LOCK, "wait for another migration").await?;
    for role in [&owner, &run] {
        let doing = format!("create the role {role}");
        if !exists(&mut on, "SELECT FROM pg_roles WHERE rolname = $1", role).await? {
            run_sql(&mut on, &format!("CREATE ROLE {role} NOLOGIN"), &doing).await?;
        }
    }
    let login = quoted(place.login());
    for grant in [
        format!("GRANT {owner} TO CURRENT_USER"),
        format!("GRANT {run} TO {login}"),
    ] {
        run_sql(&mut on, &grant, &format!("grant {owner} and {run}")).await?;
    }
    let there = exists(
        &mut on,
        "SELECT FROM pg_database WHERE datname = $1",
        &database,
    )
    .await?;
    if !there {
        let create =
            format!("CREATE DATABASE {database} OWNER {owner} ENCODING 'UTF8' TEMPLATE template0");
        run_sql(&mut on, &create, &format!("create the database {database}")).await?;
    }
    drop(on.close().await);
    Ok(!there)
}

/// Applies what is missing, in one transaction.
async fn upgrade(
    on: &mut PgConnection,
    place: &PostgresPlace,
) -> Result<Vec<&'static str>, MigrateError> {
    let database = place.database();
    let doing = format!("migrate the database {database}");
    let failed = |e: sqlx::Error| failed(&doing, &e);
    let mut transaction = on.begin().await.map_err(failed)?;
    transaction
        .execute("SELECT pg_advisory_xact_lock(7302)")
        .await
        .map_err(failed)?;
    transaction
        .execute(
            "CREATE TABLE IF NOT EXISTS migrations (\
                 version integer PRIMARY KEY, name text NOT NULL, \
                 applied_at timestamptz NOT NULL DEFAULT now())",
        )
        .await
        .map_err(failed)?;
    let found: Option<i32> = sqlx::query_scalar("SELECT max(version) FROM migrations")
        .fetch_one(&mut *transaction)
        .await
        .map_err(failed)?;
    let found = found.unwrap_or(0);
    if found > VERSION {
        return Err(MigrateError::Newer { database, found });
    }
    let mut applied = vec![];
    for (version, (name, sql)) in (1..).zip(MIGRATIONS) {
        if version <= found {
            continue;
        }
        let failed = |e: sqlx::Error| self::failed(&format!("apply {name} to {database}"), &e);
        #[cfg(feature = "planted-bugs")]
        let sql = &crate::planted::without_order_lock(sql);
        sqlx::raw_sql(sql)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        sqlx::query("INSERT INTO migrations (version, name) VALUES ($1, $2)")
            .bind(version)
            .bind(name)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        applied.push(*name);
    }
    let grants = GRANTS
        .replace("{database}", &database)
        .replace("{run}", &place.run());
    sqlx::raw_sql(&grants)
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
    transaction.commit().await.map_err(failed)?;
    Ok(applied)
}

async fn connect(options: &PgConnectOptions, to: &str) -> Result<PgConnection, MigrateError> {
    let doing = format!("connect to {to}");
    match timeout(CONNECT, options.connect()).await {
        Ok(connected) => connected.map_err(|e| failed(&doing, &e)),
        Err(_) => Err(MigrateError::Failed {
            doing,
            cause: format!("no answer within {CONNECT:?}"),
        }),
    }
}

async fn run_sql(on: &mut PgConnection, sql: &str, doing: &str) -> Result<(), MigrateError> {
    match sqlx::raw_sql(sql).execute(on).await {
        Ok(_) => Ok(()),
        // Somebody else was faster: from another database of the server, where our lock is not
        // seen.
        Err(sqlx::Error::Database(e)) if e.code().is_some_and(|code| EXISTS.contains(&&*code)) => {
            Ok(())
        }
        Err(e) => Err(failed(doing, &e)),
    }
}

async fn exists(on: &mut PgConnection, sql: &str, name: &str) -> Result<bool, MigrateError> {
    let found = sqlx::query(sql).bind(name).fetch_optional(on).await;
    let found = found.map_err(|e| failed("look what is there", &e))?;
    Ok(found.is_some())
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn failed(doing: &str, e: &sqlx::Error) -> MigrateError {
    let cause = match e {
        sqlx::Error::Database(e) => cause(&**e),
        e => super::store_error(e).to_string(),
    };
    MigrateError::Failed {
        doing: doing.to_owned(),
        cause,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_migration_in_the_folder_is_applied_in_its_order() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/postgres");
        let names = std::fs::read_dir(folder).unwrap().map(|entry| {
            let name = entry.unwrap().file_name();
            name.to_str().unwrap().trim_end_matches(".sql").to_owned()
        });
        let mut names: Vec<String> = names.filter(|name| name != "grants").collect();
        names.sort();
        let known: Vec<_> = MIGRATIONS.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, known);
        for (version, name) in (1..).zip(known) {
            assert!(name.starts_with(&format!("{version:04}_")), "{name}");
        }
    }
}
