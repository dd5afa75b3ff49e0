//! `hydroid:core/types`: vocabulary, no functions.

use crate::bindings::core::types::Host;
use crate::instance::State;

impl Host for State {}
