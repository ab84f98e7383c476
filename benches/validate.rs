//! How long reading and checking a large folder takes.
fn main() {
    divan::main();
}
