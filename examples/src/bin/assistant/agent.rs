//! From a question to an answer: look into the handbook, ask the model, do what it wants, ask again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use spandrel_genai::{self as ai, Message, Record, Totals};
use tokio::sync::mpsc::Sender;

use crate::Error;
use crate::handbook::Handbook;
use crate::models::Models;
use crate::tools;

/// The prompt of the user, which has a version for those who compare answers.
pub(crate) const TEMPLATE: &str = "{question}\n\nFrom the handbook:\n{entries}";
pub(crate) const VERSION: &str = "3";

const RULES: &str = "\
You are the assistant of a workshop for bicycles. Answer in one or two sentences, in the language of the question. Never promise a time that the \
calendar does not have, and never name an amount that the list of parts does not have. If the handbook has an answer, give it and say that it is from \
there. If neither the handbook nor a tool has one, say that you do not know and name the telephone number of the workshop. Be kind.";

/// More rounds mean that the model is lost.
const MOST_STEPS: u32 = 6;

#[derive(Debug)]
pub(crate) struct Agent {
    models: Models,
    handbook: Handbook,
    /// By session. A real service would forget them at some time.
    conversations: Mutex<HashMap<String, Vec<Message>>>,
}

impl Agent {
    pub(crate) fn new(models: Models) -> Self {
        Self { models, handbook: Handbook::default(), conversations: Mutex::default() }
    }

    /// Answers a question of a session: the text goes out as it comes. Says what it took.
    pub(crate) async fn answer(&self, session: &str, question: &str, texts: &Sender<String>) -> Result<Totals, Error> {
        let mut turn = ai::chat_turn("ask").input(|| question).start();
        let result = turn.run_async(async |_: &mut Record| self.work(session, question, texts).await).await;
        match result {
            Ok(answer) => turn.set_output(|| answer),
            Err(error) => {
                turn.set_error("agent", &error);
                return Err(error);
            }
        }
        Ok(turn.end())
    }

    async fn work(&self, session: &str, question: &str, texts: &Sender<String>) -> Result<String, Error> {
        let agent =
            ai::agent("workshop").description("Answers customers of a workshop for bicycles.").input(|| question);
        agent
            .try_run_async(async |record: &mut Record| {
                let entries = self.handbook.find(&self.models, question).await?.join("\n");
                let mut messages = self.conversation(session);
                messages.push(Message::user(TEMPLATE.replace("{question}", question).replace("{entries}", &entries)));
                for number in 1..=MOST_STEPS {
                    if let Some(answer) = self.step(number, &mut messages, texts).await? {
                        record.set_output(|| &answer);
                        self.remember(session, messages);
                        return Ok(answer);
                    }
                }
                Err(Error::from(format!("there is no answer after {MOST_STEPS} steps")))
            })
            .await
    }

    /// Asks the model, and does what it wants; the answer if that is nothing more.
    async fn step(
        &self,
        number: u32,
        messages: &mut Vec<Message>,
        texts: &Sender<String>,
    ) -> Result<Option<String>, Error> {
        let step = ai::step(number);
        step.try_run_async(async |_: &mut Record| {
            let request = tools::offered(self.models.request().system(RULES)).messages(messages.iter().cloned());
            let mut stream = self.models.ask(&request.temperature(0.2).max_tokens(300)).stream().await?;
            while let Some(text) = stream.next_text().await? {
                // Whoever asked is gone if this fails, and soon so is this.
                let _ = texts.send(text).await;
            }
            let answer = stream.answer();
            messages.push(answer.message());
            let calls = answer.tool_calls();
            messages.extend(calls.iter().map(tools::run));
            Ok(calls.is_empty().then(|| answer.text()))
        })
        .await
    }

    fn conversation(&self, session: &str) -> Vec<Message> {
        let all = self.conversations.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(session).cloned().unwrap_or_default()
    }

    fn remember(&self, session: &str, messages: Vec<Message>) {
        self.conversations.lock().unwrap_or_else(PoisonError::into_inner).insert(session.to_owned(), messages);
    }
}
