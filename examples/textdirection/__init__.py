"""rapidocr's text-direction CNN: is a line of text upright or upside down?"""
