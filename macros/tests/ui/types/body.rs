use spandrel::traced;

#[traced]
fn plain() -> u32 {
    "text"
}

#[traced]
async fn later() -> u32 {
    "text"
}

#[traced(err)]
fn watched(early: bool) -> Result<u32, String> {
    if early {
        return Ok("text");
    }
    1
}

#[traced(err)]
async fn watched_later(early: bool) -> Result<u32, String> {
    if early {
        return Ok("text");
    }
    1
}

#[traced]
async fn nothing() {
    1
}

#[traced(capture(args))]
fn moved(text: String) -> (String, String) {
    (text, text)
}

fn main() {}
