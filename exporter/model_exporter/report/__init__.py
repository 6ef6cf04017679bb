"""One page about some models, for people without Grafana at hand.

`content` is what a page says, `collect` takes it from the job, `pictures` and `page` draw it.
"""
