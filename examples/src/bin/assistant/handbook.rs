//! What the shop knows, and how what fits a question is found in it.

use serde_json::json;
use spandrel_genai::{self as ai, Record};
use tokio::sync::OnceCell;

use crate::Error;
use crate::models::Models;

const ENTRIES: [&str; 8] = [
    "A chain needs oil every two hundred kilometres, and thin oil in winter.",
    "A repair of brakes takes one hour, and longer if discs are bent.",
    "Wheels are trued while the customer waits.",
    "Batteries of electric bicycles are never opened here.",
    "Old tyres are taken back without a charge.",
    "Children under twelve get lights as a present.",
    "A bicycle that was not fetched within a month is stored outside.",
    "Saddles can be tried for a week.",
];

/// How many entries a question is answered from.
const BEST: usize = 2;

#[derive(Debug, Default)]
pub(crate) struct Handbook {
    /// Made when they are needed first.
    vectors: OnceCell<Vec<Vec<f32>>>,
}

impl Handbook {
    /// The entries that fit best.
    pub(crate) async fn find(&self, models: &Models, question: &str) -> Result<Vec<&'static str>, Error> {
        let retrieval = ai::retrieval("handbook").remote(false).input(|| question);
        retrieval
            .try_run_async(async |record: &mut Record| {
                let mut scores = self.scores(models, question).await?;
                scores.sort_by(|one, other| other.0.total_cmp(&one.0));
                let best: Vec<&str> = scores.into_iter().take(BEST).map(|(_, entry)| entry).collect();
                record.set_output(|| json!(best).to_string());
                Ok::<_, Error>(best)
            })
            .await
    }

    async fn scores(&self, models: &Models, question: &str) -> Result<Vec<(f32, &'static str)>, Error> {
        let Some(client) = models.embeddings() else { return Ok(by_words(question)) };
        let embed = async |texts: &[&str]| {
            let request = json!({ "model": "text-embedding-3-small", "input": texts });
            client.embeddings(request).send().await.map(|answer| answer.vectors())
        };
        let vectors = self.vectors.get_or_try_init(|| embed(&ENTRIES)).await?;
        let asked = embed(&[question]).await?.into_iter().next().unwrap_or_default();
        let near = |vector: &Vec<f32>| vector.iter().zip(&asked).map(|(one, other)| one * other).sum();
        Ok(vectors.iter().map(near).zip(ENTRIES).collect())
    }
}

/// Without vectors: by the words that both have.
fn by_words(question: &str) -> Vec<(f32, &'static str)> {
    let question = question.to_lowercase();
    let score = |entry: &str| {
        let words = entry.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 3);
        words.filter(|word| question.contains(&word.to_lowercase())).count() as f32
    };
    ENTRIES.iter().map(|entry| (score(entry), *entry)).collect()
}
