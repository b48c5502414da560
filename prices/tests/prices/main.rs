//! Usage and cost against recorded answers of providers, against another library, and against a second calculation.

mod files;
mod genai_prices;
mod independent;
mod usage_blocks;
