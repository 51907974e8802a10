"""What classic policies share: declaration, common parameters, orders and forecasts."""
