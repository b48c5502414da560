//! The course of a call: attempts, waits, redirects.

use std::time::Duration;

use reqwest::Request;
use spandrel::InSpanExt;
use tokio::time::Instant;

use crate::call::CallSpan;
use crate::client::ApiClient;
use crate::connect::Opening;
use crate::error::{Call, ClientError, ClientErrorKind};
use crate::exchange::{self, Exchange, Target};
use crate::redirect::{self, Again};
use crate::request::Options;
use crate::response::Response;
use crate::retry::{self, Retry};
use crate::{headers, url};

type Outcome = Result<reqwest::Response, ClientError>;

/// Sends the request until there is a response that stays.
pub(crate) async fn send(
    client: &ApiClient,
    mut request: Request,
    call: Call,
    options: &Options,
) -> Result<Response, ClientError> {
    headers::add_defaults(request.headers_mut(), client.default_headers());
    let mut course = Course::new(client, options, call, &request);
    loop {
        // The body of a request that is sent is gone.
        let again = Again::of(&request);
        let (mut exchange, outcome) = course.attempt(request).await;
        match course.next(&mut exchange, again, &outcome) {
            Ok(Some(next)) => {
                drop(outcome);
                exchange.end();
                tokio::time::sleep(next.delay).await;
                request = next.request;
            }
            Ok(None) => return course.finish(exchange, outcome),
            Err(error) => {
                exchange.fail(&error);
                return course.finish(exchange, Err(error));
            }
        }
    }
}

/// Where a call is.
struct Course<'a> {
    client: &'a ApiClient,
    options: &'a Options,
    call: Call,
    /// The span around all attempts.
    around: Option<CallSpan>,
    /// `None` if this request is not repeated.
    retry: Option<&'a Retry>,
    deadline: Option<Instant>,
    retries: u32,
    redirects: u32,
}

/// What comes after an attempt.
struct Next {
    request: Request,
    delay: Duration,
}

impl<'a> Course<'a> {
    fn new(client: &'a ApiClient, options: &'a Options, call: Call, request: &Request) -> Self {
        let retry = client.settings().retry.as_ref();
        let retry = retry.filter(|retry| retry.retries() > 0 && may_repeat(request, options));
        // A span cannot be put in later, so it is there if it may be needed.
        let has_span = options.has_span && (retry.is_some() || options.operation.is_some());
        let around = has_span.then(|| {
            let target = Target { method: request.method(), url: request.url(), template: options.template.as_deref() };
            CallSpan::start(client.settings(), options, &target)
        });
        if let (Some(_), Some(budget)) = (retry, client.budget()) {
            budget.add_call();
        }
        let deadline = retry.and_then(Retry::total).map(|total| Instant::now() + total);
        Self { client, options, call, around, retry, deadline, retries: 0, redirects: 0 }
    }

    async fn attempt(&mut self, mut request: Request) -> (Exchange, Outcome) {
        let settings = self.client.settings();
        let mut exchange = self.begin(&request);
        self.call.attempts += 1;
        if self.options.has_span && settings.propagates_to(url::host(request.url())) {
            exchange.inject(request.headers_mut());
        }
        let opening = Opening::default();
        let executing = opening.watch(self.client.http().execute(request)).in_span_mut(exchange.span_mut());
        let call = &self.call;
        let outcome = match self.deadline {
            None => executing.await.map_err(|error| ClientError::of_attempt(error, call)),
            Some(deadline) => match tokio::time::timeout_at(deadline, executing).await {
                Ok(outcome) => outcome.map_err(|error| ClientError::of_attempt(error, call)),
                Err(_) => {
                    let text = "the deadline for all attempts has passed";
                    Err(ClientError::of_call(ClientErrorKind::Timeout, text, call))
                }
            },
        };
        let mut timings = opening.timings(outcome.as_ref().ok());
        match &outcome {
            Ok(response) => {
                timings.first_byte = Some(exchange.elapsed());
                exchange.receive(settings, response, timings);
            }
            Err(error) => {
                exchange.set_timings(timings);
                exchange.fail(error);
            }
        }
        (exchange, outcome)
    }

    fn begin(&mut self, request: &Request) -> Exchange {
        let template = self.options.template.as_deref().filter(|_| self.redirects == 0);
        let target = Target { method: request.method(), url: request.url(), template };
        let shown_url = self.call.redirected_to.as_ref().unwrap_or(&self.call.url);
        let (settings, options, resends) = (self.client.settings(), self.options, self.call.attempts);
        let begin = || Exchange::start(settings, options, &target, request, shown_url, resends);
        match &mut self.around {
            Some(around) => around.attempt(begin),
            None => begin(),
        }
    }

    /// The next request, if this outcome is not the last one.
    ///
    /// # Errors
    ///
    /// There is a redirect that is not followed.
    fn next(&mut self, exchange: &mut Exchange, again: Again, outcome: &Outcome) -> Result<Option<Next>, ClientError> {
        match outcome {
            Ok(response) if self.client.settings().redirects > 0 && redirect::is_redirect(response) => {
                let request = self.redirected(exchange, again, response);
                let request = request.map_err(|text| ClientError::of_call(ClientErrorKind::Redirect, text, &self.call));
                Ok(request?.map(|request| Next { request, delay: Duration::ZERO }))
            }
            _ => Ok(self.delay(outcome).map(|delay| Next { request: again.request, delay })),
        }
    }

    fn redirected(
        &mut self,
        exchange: &mut Exchange,
        again: Again,
        response: &reqwest::Response,
    ) -> Result<Option<Request>, String> {
        let settings = self.client.settings();
        if self.redirects == settings.redirects {
            return Err(format!("more than {} redirects", self.redirects));
        }
        let next = again.redirected(response, self.client.default_headers(), &settings.secret_parameters)?;
        if let Some(next) = &next {
            self.redirects += 1;
            let shown_url = url::sanitized(next.url(), &settings.secret_parameters);
            let span = match &mut self.around {
                Some(around) => around.span_mut(),
                None => exchange.span_mut(),
            };
            exchange::add_redirect(span, response.status(), &shown_url);
            self.call.redirected_to = Some(shown_url);
        }
        Ok(next)
    }

    /// How long to wait before it is sent again; `None` if it is not.
    fn delay(&mut self, outcome: &Outcome) -> Option<Duration> {
        let retry = self.retry?;
        let reason = retry::reason(outcome, self.client.settings())?;
        let delay = match self.allowed(retry, retry.wait(self.retries + 1, outcome)) {
            Ok(delay) => delay,
            Err(limit) => {
                if let Some(around) = &mut self.around {
                    around.give_up(&reason, limit);
                }
                return None;
            }
        };
        self.retries += 1;
        if let Some(around) = &mut self.around {
            around.retry(&reason, delay);
        }
        Some(delay)
    }

    /// The wait, or which limit is in its way.
    fn allowed(&self, retry: &Retry, delay: Option<Duration>) -> Result<Duration, &'static str> {
        if self.retries == retry.retries() {
            return Err("attempts");
        }
        let delay = delay.ok_or("retry_after")?;
        if self.deadline.is_some_and(|deadline| Instant::now() + delay >= deadline) {
            return Err("deadline");
        }
        if self.client.budget().is_some_and(|budget| !budget.take_retry()) {
            return Err("budget");
        }
        Ok(delay)
    }

    fn finish(mut self, mut exchange: Exchange, outcome: Outcome) -> Result<Response, ClientError> {
        if let Some(around) = &mut self.around {
            match &outcome {
                Ok(response) => {
                    around.set_status(response.status(), self.client.settings().is_error(response.status()));
                }
                Err(error) => around.fail(error),
            }
        }
        exchange.keep(self.around);
        outcome.map(|response| Response::new(response, self.call, exchange))
    }
}

fn may_repeat(request: &Request, options: &Options) -> bool {
    // A body that can be sent only once is sent only once.
    let has_whole_body = request.body().is_none_or(|body| body.as_bytes().is_some());
    let is_idempotent = options.is_idempotent.unwrap_or_else(|| retry::is_idempotent(request.method()));
    has_whole_body && is_idempotent && !options.has_no_retry
}
