//! The binary: parse, dispatch, exit code.

fn main() -> std::process::ExitCode {
    bursar::cli::main()
}
