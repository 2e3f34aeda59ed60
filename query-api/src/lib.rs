//! HTTP reads of the views.
//!
//! - [`router`]: every route on one screen; a file each in `routes`.
//! - `freshness`: waiting until the view has what a consistency token names.

mod freshness;
mod router;
mod routes;

pub use router::{Api, openapi, router};
