"""Decision making: environments, actors, critics, imitation and learned rewards."""
