"""Pictures of registrations: small images and tables in, matplotlib figures out."""
