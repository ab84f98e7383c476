//! The driver for DNSimple's API and servers that carry its conventions on.
