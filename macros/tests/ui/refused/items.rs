#![allow(unused)]

use spandrel::traced;

#[traced]
struct Cart;

#[traced]
impl Cart {}

#[traced]
pub(crate) mod module {}

#[traced]
const LIMIT: usize = 1;

#[traced]
const fn constant() -> usize {
    1
}

trait Store {
    #[traced]
    fn get(&self, key: &str) -> String;
}

#[traced(name = "x", record(a), unknown)]
fn goes_on_compiling(a: u8) -> u8 {
    a
}

fn main() {
    let _: u8 = goes_on_compiling(1) + constant() as u8;
}
