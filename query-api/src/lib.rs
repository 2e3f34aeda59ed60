//! HTTP reads of the views.
//!
//! - [`router`]: every route on one screen; a file each in `routes`.
//! - `freshness`: waiting until the view has what a consistency token names.
//! - `timeline`: the facts of an order, and the order as it was.
//! - `params`, `cursor`: what comes in a query.

mod cursor;
mod freshness;
mod params;
mod router;
mod routes;
mod timeline;

pub use router::{Api, openapi, router};
