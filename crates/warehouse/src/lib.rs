//! warehouse
pub mod catalogue;
pub mod lake;
