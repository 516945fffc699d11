//! warehouse
pub mod catalogue;
pub mod lake;
pub mod books;
pub mod kind;
pub mod source;
pub mod engine;
pub mod import;
pub mod bench;
