//! Has the built-in SQL embedded again when a file of it comes or goes, which the files themselves cannot tell.

fn main() {
    println!("cargo::rerun-if-changed=../../sql");
}
