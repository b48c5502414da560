//! The tables in the documentation are what the program reads.

use spandrel::Tracer;
use spandrel_genai as ai;

const DOCS: &str = include_str!("../src/docs.md");

/// The blocks with prices, without the file of some: it is not here.
fn tables() -> Vec<String> {
    let blocks = DOCS.split("```toml\n").skip(1).map(|rest| rest.split_once("```").unwrap().0);
    let blocks = blocks.filter(|block| block.contains("[prices]"));
    blocks
        .map(|block| block.lines().filter(|line| !line.starts_with("file =")).collect::<Vec<_>>().join("\n"))
        .collect()
}

fn tracer(config: &str) -> Tracer {
    spandrel::builder().default_config(config).build().unwrap()
}

#[test]
fn tables_have_no_mistake() {
    let tables = tables();
    assert_eq!(tables.len(), 2);
    for table in tables {
        tracer(&table).context().within(ai::check).unwrap();
    }
}

#[test]
fn gateways_cost_what_the_table_says() {
    let cost = |provider: &str, model: &str| {
        ai::llm_call(provider, model).run(|call| {
            call.set_usage(ai::Usage::new(1000, 500));
            call.cost().map(|cost| cost.to_string())
        })
    };
    assert_eq!(cost("openrouter", "anthropic/claude-sonnet-4-5"), None, "without the table");
    tracer(&tables()[0]).context().within(|| {
        let told = [("openrouter", "anthropic/claude-sonnet-4-5"), ("together", "anything"), ("vllm", "llama-3.3-70b")];
        let costs = told.map(|(provider, model)| cost(provider, model).unwrap());
        assert_eq!(costs, ["0.0105", "0.00135", "0.0009"]);
        assert_eq!(cost("openrouter", "openai/gpt-4o"), None, "nobody told its price");
    });
}
