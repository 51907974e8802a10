"""What classic policies share: how one is declared, sized, built, and what it forecasts."""
