use std::rc::Rc;

use spandrel::traced;

#[traced]
async fn holds(shared: Rc<u32>) {
    step().await;
    drop(shared);
}

#[traced]
async fn step() {}

fn spawn(_: impl Future<Output = ()> + Send) {}

fn main() {
    spawn(step());
    spawn(holds(Rc::new(1)));
}
