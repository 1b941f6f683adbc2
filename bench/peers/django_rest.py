"""Django REST framework with django-filter and its cursor pages, which need no count."""

import os
from typing import ClassVar
from urllib.parse import urlsplit

import django
from django.conf import settings

address = urlsplit(os.environ["DATABASE_URL"])
settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": address.path[1:],
            "USER": address.username,
            "PASSWORD": address.password,
            "HOST": address.hostname,
            "PORT": address.port,
            "OPTIONS": {"pool": {"min_size": 8, "max_size": 8}},
        }
    },
    INSTALLED_APPS=["rest_framework", "django_filters"],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "UNAUTHENTICATED_USER": None,
    },
    ROOT_URLCONF=__name__,
    USE_I18N=False,
)
django.setup()

# They can only be imported once Django is set up.
from django.core.asgi import get_asgi_application  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import models  # noqa: E402
from django.urls import path  # noqa: E402
from django_filters import rest_framework as filters  # noqa: E402
from rest_framework import generics, pagination, serializers  # noqa: E402


class Expense(models.Model):  # noqa: DJ008  never printed
    """One expense."""

    departments = models.CharField(max_length=80)
    project_name = models.CharField(max_length=80)
    amount = models.DecimalField(max_digits=12, decimal_places=2)
    currency = models.CharField(max_length=3)
    date = models.DateField()
    member_name = models.CharField(max_length=80)

    class Meta:
        """Where its rows are."""

        app_label = "peers"
        db_table = "expense"
        managed = False


COLUMNS = ["id", "departments", "project_name", "amount", "currency", "date", "member_name"]


class ExpenseSerializer(serializers.ModelSerializer):
    """One expense as it is answered."""

    class Meta:
        """Its columns."""

        model = Expense
        fields = COLUMNS


class ExpenseFilter(filters.FilterSet):
    """What a request may say."""

    amount_gte = filters.NumberFilter(field_name="amount", lookup_expr="gte")

    class Meta:
        """The columns that are compared as they are."""

        model = Expense
        fields: ClassVar = ["departments"]


class NewestFirst(pagination.CursorPagination):
    """Pages of the newest first."""

    ordering = ("-date", "id")
    page_size = 25


class ExpenseList(generics.ListAPIView):
    """The rows that the filters leave."""

    queryset = Expense.objects.only(*COLUMNS)
    serializer_class = ExpenseSerializer
    filter_backends: ClassVar = [filters.DjangoFilterBackend]
    filterset_class = ExpenseFilter
    pagination_class = NewestFirst


urlpatterns = [path("expenses", ExpenseList.as_view())]
application = get_wsgi_application()
asgi_application = get_asgi_application()
