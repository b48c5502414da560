//! What opening a connection took, told to the attempt that it was opened for.
//!
//! A pool may send an attempt on a connection that another one opened, and keep the
//! one opened for it for later. So a connection is known by its local address, and
//! what it took counts for an attempt only if its response came on it.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper_util::client::legacy::connect::{Connection, HttpInfo};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tower_layer::Layer;
use tower_service::Service;

/// How long the parts of an attempt took. See [`Response::timings`](crate::Response::timings).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timings {
    /// Looking up the host name; `None` if the connection was open already, or no name was looked up.
    pub dns: Option<Duration>,
    /// Connecting, with TLS, after the name was looked up; `None` if the connection was open already.
    pub connect: Option<Duration>,
    /// From handing over the request to the headers of the response.
    pub first_byte: Option<Duration>,
    /// Whether the connection was opened for another attempt; `None` if that is not known.
    pub connection_reused: Option<bool>,
}

/// What is known of the connection that is opened for an attempt.
#[derive(Debug, Clone, Default)]
pub(crate) struct Opening(Arc<Mutex<Opened>>);

#[derive(Debug, Clone, Copy, Default)]
struct Opened {
    dns: Option<Duration>,
    connect: Option<Duration>,
    /// Of the connection, once it is open.
    local: Option<SocketAddr>,
}

tokio::task_local! {
    /// Of the attempt that is polled. Connecting may go on in a task of its own
    /// when another connection was free earlier, so it takes this along.
    static OPENING: Opening;
}

impl Opening {
    /// The future; what it opens is told to this.
    pub(crate) async fn watch<F: Future>(&self, future: F) -> F::Output {
        OPENING.scope(self.clone(), future).await
    }

    /// The times, of an attempt that got a response or did not.
    pub(crate) fn timings(&self, response: Option<&reqwest::Response>) -> Timings {
        let opened = *self.lock();
        let mut timings = Timings { dns: opened.dns, connect: opened.connect, ..Timings::default() };
        if let Some(response) = response {
            let local = response.extensions().get::<HttpInfo>().map(HttpInfo::local_addr);
            timings.connection_reused = local.map(|local| opened.local != Some(local));
            if timings.connection_reused != Some(false) {
                timings.dns = None;
                timings.connect = None;
            }
        }
        timings
    }

    fn current() -> Option<Self> {
        OPENING.try_with(Self::clone).ok()
    }

    fn lock(&self) -> MutexGuard<'_, Opened> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Times the connector of reqwest, around all its other layers.
#[derive(Debug, Clone)]
pub(crate) struct TimedLayer;

#[derive(Debug, Clone)]
pub(crate) struct Timed<S>(S);

impl<S> Layer<S> for TimedLayer {
    type Service = Timed<S>;

    fn layer(&self, inner: S) -> Timed<S> {
        Timed(inner)
    }
}

impl<S, R> Service<R> for Timed<S>
where
    S: Service<R>,
    S::Response: Connection,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, target: R) -> Self::Future {
        let connecting = self.0.call(target);
        let Some(opening) = Opening::current() else { return Box::pin(connecting) };
        let begun = Instant::now();
        Box::pin(async move {
            let connection = opening.watch(connecting).await?;
            let took = begun.elapsed();
            let mut extensions = http::Extensions::new();
            connection.connected().get_extras(&mut extensions);
            let mut opened = opening.lock();
            opened.connect = Some(took.saturating_sub(opened.dns.unwrap_or_default()));
            opened.local = extensions.get::<HttpInfo>().map(HttpInfo::local_addr);
            drop(opened);
            Ok(connection)
        })
    }
}

/// Times a resolver.
pub(crate) struct TimedResolver(pub(crate) Arc<dyn Resolve>);

impl Resolve for TimedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolving = self.0.resolve(name);
        let Some(opening) = Opening::current() else { return resolving };
        let begun = Instant::now();
        Box::pin(async move {
            let addresses = resolving.await;
            opening.lock().dns = Some(begun.elapsed());
            addresses
        })
    }
}

/// Asks the system, as reqwest does.
pub(crate) struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use reqwest::dns::Resolve;

    use super::SystemResolver;

    #[tokio::test]
    async fn the_system_knows_this_machine() {
        let mut addresses = SystemResolver.resolve("localhost".parse().unwrap()).await.unwrap();
        assert!(addresses.next().unwrap().ip().is_loopback());
    }
}
