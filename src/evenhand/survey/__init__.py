"""The survey: synthetic personas, rated on a Likert scale; does the rating depend on who they are?"""
