"""Making the embedded base again from scratch: data, autoencoder, denoiser, figures."""
