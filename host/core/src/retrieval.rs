//! Finding again: how what several ways of searching say becomes one order. Pure arithmetic; the
//! words, vectors and texts it is about are looked up elsewhere.
//!
//! Reading order: [`relevance`] (how well texts answer the words of a question), [`fusion`] (one
//! score of several), [`repeats`] (the same thing is not said twice), [`words`] (which words say something), [`when`] (what `last week` means).

pub mod fusion;
pub mod relevance;
pub mod repeats;
pub mod when;
pub mod words;
