//! warehouse
pub mod lake;
