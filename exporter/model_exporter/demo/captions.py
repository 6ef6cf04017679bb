"""What happens in the data, and when: the story's own words.

The moments are parts of the story's length. They are known beforehand, for the data are; whether
an alert agrees is for the rules to say.
"""

CAPTIONS = (
    (0.01, "Three models answer. What they read and say is counted in their own process."),
    (0.07, "Labels arrive: a bike ride is counted within two hours, so its model has a score now."),
    (0.14, "A loan takes weeks to go bad: that model predicts, and nobody knows yet how well."),
    (0.20, "Summer came to Washington: the inputs of the bike model drift away from its spring."),
    (0.28, "Seattle's rain is labelled 'fog' since this spring: same inputs, accuracy collapses."),
    (
        0.40,
        "The first loans are known. Labels come late, twice or corrected; each is counted once.",
    ),
    (0.53, "Cars become dearer: the loan model sees prices that were rare when it was trained."),
    (0.68, "Autumn: people ride more than the spring model believes; it is biased now."),
    (0.80, "The labels of the dear cars arrive: the loan model is worse on them."),
    (
        0.93,
        "Almost there. Rides and weather are real, the loans synthetic, the label delays drawn.",
    ),
)


def due(before: float, now: float) -> list[str]:
    """Return the captions whose moment lies in (before, now], as parts of the story.

    Examples
    --------
    >>> due(0.0, 0.02)
    ['Three models answer. What they read and say is counted in their own process.']
    """
    return [text for moment, text in CAPTIONS if before < moment <= now]
