//! The faces of a plan. Each reads the same tree.
