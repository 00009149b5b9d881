"""What `manylabel.explain` is made of: evidence by torch or by occlusion, pictures of it, and the pointing game."""
