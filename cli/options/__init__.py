"""The options that commands share, and the click classes behind them."""
