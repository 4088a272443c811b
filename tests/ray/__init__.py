"""What runs on a real Ray, in an environment of its own: make ray-test."""
