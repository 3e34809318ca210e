"""Routes by who asks: voters, their browsers for images, machines for health, the admin."""
