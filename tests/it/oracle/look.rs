//! What the oracle looks at: what customers and the provider say of themselves, and what is there.

use std::path::Path;

use infra::clock;
use infra::config::Config;
use oracle::World;
use oracle::sources::Servers;
use waybill::adapters::Adapters;

use super::{Book, books, dump};
use crate::support::provider::StubProvider;
use crate::support::{Addresses, Place};

/// What is in a folder that no process has.
pub async fn in_folder(data_dir: &Path, book: &Book, provider: Option<&StubProvider>) -> World {
    let config = Config {
        data_dir: data_dir.to_owned(),
        ..Config::default()
    };
    in_stores(&Adapters::open(&config).unwrap(), book, provider).await
}

/// What is in embedded stores that are open.
pub async fn in_stores(adapters: &Adapters, book: &Book, provider: Option<&StubProvider>) -> World {
    let mut world = said(book, provider);
    dump::of(adapters, &mut world).await;
    world
}

/// What is on the servers of a place, under its names.
pub async fn at(place: &Place, book: &Book, provider: Option<&StubProvider>) -> World {
    on(&servers(&place.at, place), book, provider).await
}

pub async fn on(servers: &Servers, book: &Book, provider: Option<&StubProvider>) -> World {
    let mut world = said(book, provider);
    servers.read(&mut world).await.unwrap();
    world
}

/// What has the names of the place, at these addresses.
pub fn servers(at: &Addresses, place: &Place) -> Servers {
    let at = at.clone();
    Servers {
        postgres: at.postgres,
        inventory: at.inventory,
        kafka: at.kafka,
        cassandra: at.cassandra,
        prefix: place.servers().prefix,
    }
}

/// The two journals. What is there is looked at later: it has to have all that was answered by now.
fn said(book: &Book, provider: Option<&StubProvider>) -> World {
    World {
        journal: book.read(),
        ledger: provider.map(books::of),
        read_at: Some(clock::now().as_micros()),
        ..World::default()
    }
}
