//! Writes over the file of a plugin, the first argument, with the second one as soon as the
//! loader has verified it. Needs `SPANDREL_LOADER_DEBUG=1`, by which it knows when that is.

use spandrel::{self as tracing, diagnostics};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [file, other] = [1, 2].map(|n| std::env::args().nth(n).unwrap_or_default());
    let bytes = std::fs::read(other)?;
    diagnostics::set_handler(Box::new(move |_, text| {
        eprintln!("{text}");
        if text.contains("its bytes are kept sealed") && std::fs::write(&file, &bytes).is_ok() {
            eprintln!("swapped");
        }
    }));
    let _guard = tracing::init()?;
    tracing::with_span("op", |_| ());
    Ok(())
}
